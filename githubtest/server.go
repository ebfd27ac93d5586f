package githubtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Options configures a Server. The zero value is a github.com on a random port
// of 127.0.0.1.
type Options struct {
	// Addr is the address to listen on. The default is "127.0.0.1:0".
	Addr string

	// Instances names the GitHubs to serve besides github.com: a name below
	// ghe.com has api. and uploads. hosts, any other is a GitHub Enterprise
	// Server with everything on one host. All instances share one world.
	Instances []string

	// TokenFormat selects the form of the tokens minted. The default alternates.
	TokenFormat TokenFormat

	// TokenLifetime is how long a minted token is good for. The default is one
	// hour, as on GitHub.
	TokenLifetime time.Duration

	// Now is the clock. The default is time.Now. It may be called concurrently.
	Now func() time.Time

	// MaxRequests is how many requests the record holds before it forgets the oldest.
	// The default is 10,000.
	MaxRequests int

	// TempCloneTokens makes GET of a private repository contain a temp_clone_token,
	// one more credential that GitHub sometimes hands out. The default is null.
	TempCloneTokens bool

	// EncodeBodies compresses what the REST API answers, where the request takes gzip, and prints it for
	// people where a browser, curl or Wget asks, as GitHub does. The default is neither.
	EncodeBodies bool

	// ErrorLog receives what net/http has to say about broken connections. The
	// default is silence, for broken connections are what tests are about.
	ErrorLog *log.Logger
}

// Server is a fake GitHub. Its methods may be called concurrently.
type Server struct {
	opts   Options
	addr   string
	dir    string // git repositories and blobs, removed by Close
	ca     *authority
	mounts []mount
	routes []route
	http   *http.Server
	wg     sync.WaitGroup // accept loop and requests under way
	cancel context.CancelFunc

	mu        sync.Mutex // guards what follows
	closed    bool
	world     world
	tokens    tokenStore
	limits    map[int64]*quota // installation → quota; 0 is everybody else
	skew      time.Duration
	formula   ETagFormula
	secondary *secondary                // nil for no such limits
	hooks     map[string]*http.ServeMux // host → overrides
	faults    []*activeFault
	log       []*Request
	serial    int64 // source of request ids and other unique numbers
	secret    []string
}

// New starts a fake GitHub with an empty world. The caller must Close it.
func New(opts Options) (*Server, error) {
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	if opts.TokenLifetime == 0 {
		opts.TokenLifetime = time.Hour // docs.github.com: "Installation tokens expire one hour from the time you create them"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxRequests == 0 {
		opts.MaxRequests = 10_000
	}
	if opts.ErrorLog == nil {
		opts.ErrorLog = log.New(io.Discard, "", 0)
	}
	s := &Server{
		opts:   opts,
		limits: make(map[int64]*quota),
		hooks:  make(map[string]*http.ServeMux),
		world:  newWorld(),
		tokens: newTokenStore(),
	}
	s.routes = s.allRoutes()
	for _, host := range append([]string{"github.com"}, opts.Instances...) {
		s.mounts = append(s.mounts, newInstance(strings.ToLower(host)).mounts()...)
	}
	s.mounts = append(s.mounts,
		mount{s.mounts[0].inst, serviceObjects, signedHost, ""},
		mount{s.mounts[0].inst, serviceArchives, artifactHost, ""},
		mount{s.mounts[0].inst, serviceLFS, lfsHost, ""})
	return s, s.start()
}

func (s *Server) start() (err error) {
	if s.ca, err = newAuthority(); err != nil {
		return err
	}
	leaf, err := s.ca.leaf(s.Hosts())
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "githubtest-"); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", s.opts.Addr)
	if err != nil {
		return errors.Join(err, os.RemoveAll(s.dir))
	}
	s.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12},
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ErrorLog:          s.opts.ErrorLog,
		ReadHeaderTimeout: time.Minute,
		// GitHub accepts long tokens and cookies; the default of 1 MB is kept
		// generous so that it is never the fake that sets the limit.
		MaxHeaderBytes: 1 << 20,
	}
	s.wg.Go(func() {
		if err := s.http.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.opts.ErrorLog.Printf("githubtest: serve: %v", err)
		}
	})
	return nil
}

// connKey is the context key of the connection, for faults that break it.
type connKey struct{}

// Close stops the server, breaks its connections, waits until every request
// under way has ended, and removes the repositories.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	err := s.http.Close()
	s.wg.Wait()
	return errors.Join(err, os.RemoveAll(s.dir))
}

// CloseIdle closes the connections that wait for a request, as GitHub does after
// a while.
func (s *Server) CloseIdle() {
	s.http.SetKeepAlivesEnabled(false)
	s.http.SetKeepAlivesEnabled(true)
}

// Addr returns the address the server listens on, as host:port.
func (s *Server) Addr() string { return s.addr }

// CAPEM returns the certificate of the CA that signed the server's certificate.
func (s *Server) CAPEM() []byte { return append([]byte(nil), s.ca.pem...) }

// Hosts returns the names of all hosts served.
func (s *Server) Hosts() []string {
	var hosts []string
	seen := make(map[string]bool)
	for _, m := range s.mounts {
		if !seen[m.host] {
			seen[m.host] = true
			hosts = append(hosts, m.host)
		}
	}
	return hosts
}

// ConnectTo maps "host:443" of every host served to the server's address.
func (s *Server) ConnectTo() map[string]string {
	to := make(map[string]string)
	for _, h := range s.Hosts() {
		to[h+":443"] = s.addr
	}
	return to
}

// Transport returns a transport that reaches the hosts served, and no others,
// without a proxy, and trusts the server's CA. The caller owns its idle
// connections.
func (s *Server) Transport() *http.Transport {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	to := s.ConnectTo()
	var d net.Dialer
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			real, ok := to[strings.ToLower(addr)]
			if !ok {
				return nil, fmt.Errorf("githubtest does not serve %s", addr)
			}
			return d.DialContext(ctx, network, real)
		},
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
}

// Client returns a client with its own Transport. It follows redirects.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

// Handle answers requests to host that match pattern, a pattern of
// [http.ServeMux] without a host, with h instead of GitHub's behaviour. Requests
// are recorded and faults apply as usual; credentials are not checked.
func (s *Server) Handle(host, pattern string, h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	host = strings.ToLower(host)
	mux := s.hooks[host]
	if mux == nil {
		mux = http.NewServeMux()
		s.hooks[host] = mux
	}
	mux.Handle(pattern, h)
}

// hook returns the override for r, if there is one.
func (s *Server) hook(r *http.Request) (http.Handler, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mux := s.hooks[strings.ToLower(strings.TrimSuffix(r.Host, ":443"))]
	if mux == nil {
		return nil, false
	}
	_, pattern := mux.Handler(r)
	return mux, pattern != "" // the mux itself, for it sets r.PathValue
}

// now is GitHub's clock: skewed, if a test wants it so.
func (s *Server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock()
}

// clock is now for those who hold s.mu.
func (s *Server) clock() time.Time { return s.opts.Now().Add(s.skew) }

// enter counts a request under way, unless the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Add(1)
	}
	return !s.closed
}

// serve is the handler of the listener: record, misbehave, answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.wg.Done()
	rec, cred := s.record(r)
	rw := &recorder{ResponseWriter: w, s: s, rec: rec}
	defer rw.done()
	r.Body = &countingBody{ReadCloser: r.Body, s: s, rec: rec}
	h := w.Header()
	h.Set("Date", s.now().UTC().Format(http.TimeFormat))
	h.Set("Server", "github.com")
	h.Set("X-GitHub-Request-Id", s.requestID())
	s.misbehave(rec, s.route(cred)).ServeHTTP(rw, r)
}

// route answers as GitHub would.
func (s *Server) route(cred credential) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := s.hook(r); ok {
			h.ServeHTTP(w, r)
			return
		}
		m, path, ok := s.find(r.Host, r.URL.EscapedPath())
		if !ok {
			// RFC 9110, section 15.5.20.
			http.Error(w, "githubtest does not serve "+r.Host, http.StatusMisdirectedRequest)
			return
		}
		c := &call{s: s, in: m.inst, service: m.service, w: w, r: r, path: path, cred: cred}
		switch m.service {
		case serviceAPI, serviceUploads:
			c.serveAPI()
		case serviceWeb:
			c.serveWeb()
		case serviceRaw:
			c.serveRaw()
		case serviceCodeload:
			c.serveCodeload()
		case serviceObjects:
			c.serveObject()
		case serviceArchives:
			c.serveArchive()
		case serviceLFS:
			c.serveLFSVerify()
		}
	})
}

// requestID returns an id of the form GitHub uses.
func (s *Server) requestID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return fmt.Sprintf("%04X:%06X:%06X:%06X:%08X", 0xC0DE, s.serial, s.serial*3, s.serial*7, s.opts.Now().Unix())
}
