// Package admin says how the proxy is, to probes, to Prometheus and to people, on a
// listener of its own:
//
//	s := admin.New(admin.Options{State: state, Log: slog.Default()})
//	go s.Serve(listener)
//	…
//	s.Close() // at the end
//
// It has /healthz, /readyz, /metrics and a page, /. Nobody can change anything by
// it: it takes GET and HEAD, and nothing else. It imports neither the proxy nor
// whoever has credentials: what it knows it is told, as a State and as Events, in
// which there is no secret.
//
// # Limitations
//
// There is no password: who can connect can read. Web pages cannot: a request by a
// name that is not known is refused, so that no name can be made to lead here (DNS
// rebinding), and so is one that a browser says is another site's.
package admin

import (
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/netutil"
)

// Options are the parts of a Server.
type Options struct {
	// State says how the proxy is now. It is called from many goroutines.
	State func() State
	// Hosts are names by which it may be asked, besides addresses and localhost.
	Hosts []string
	// Metrics are served as /metrics; nil for none.
	Metrics *Metrics
	// Recent is what the page shows of requests; nil for no page.
	Recent *Recent
	// Revoked reports whether the grant with links of these ids is; nil where none can be.
	Revoked func(ids []string) bool
	// Explain says what a request of a client would get, "" for who is none, and why; its
	// error says what is wrong with the question. It is nil for no such thing.
	Explain func(client, method, url string) (string, error)
	Version string // of the build
	Log     *slog.Logger
}

const (
	// maxConnections bounds those that are open at once.
	maxConnections = 128
	// maxHead bounds the head of a request.
	maxHead = 16 << 10
	// headTimeout is for a request to arrive in, answerTimeout for its answer to be
	// taken.
	headTimeout   = 5 * time.Second
	answerTimeout = 30 * time.Second
	// idleTimeout is longer than the interval of most scrapes.
	idleTimeout = 2 * time.Minute
)

// Server is the admin listener's. It is made by New.
type Server struct {
	opts    Options
	http    http.Server
	started time.Time
	feed    feed
}

// New returns a Server. It starts nothing before Serve.
func New(opts Options) *Server {
	s := &Server{opts: opts, started: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", s.serveHealth)
	mux.HandleFunc("/readyz", s.serveReady)
	if opts.Metrics != nil {
		mux.Handle("/metrics", opts.Metrics)
	}
	if opts.Recent != nil {
		mux.HandleFunc("/{$}", s.servePage)
		mux.HandleFunc("/live", s.serveLive)
	}
	if opts.Explain != nil {
		mux.HandleFunc("/explain", s.serveExplain)
	}
	s.http = http.Server{
		Handler:           s.guard(mux),
		ReadHeaderTimeout: headTimeout, ReadTimeout: 2 * headTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHead, DisableGeneralOptionsHandler: true,
		ErrorLog: log.New(errorLog{opts.Log}, "", 0),
	}
	return s
}

// Serve answers on ln until Close.
func (s *Server) Serve(ln net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(ln, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends all connections.
func (s *Server) Close() error { return s.http.Close() }

// isKnown reports whether name is one of the Options' Hosts.
func (s *Server) isKnown(name string) bool { return slices.Contains(s.opts.Hosts, name) }

// errorLog is what net/http logs through.
type errorLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l errorLog) Write(p []byte) (int, error) {
	l.log.Debug("admin: " + string(p))
	return len(p), nil
}
