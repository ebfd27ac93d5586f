package proxy

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
)

// Options are the parts of a Proxy. All are required unless they say otherwise.
type Options struct {
	// Hosts are intercepted; everything else is tunnelled, where the egress
	// policy of Upstream lets it.
	Hosts []github.Host
	// Policy is what is in force until Replace. The zero value is usable.
	Policy
	// Credentials are injected.
	Credentials *auth.Source
	// Certificate returns the certificate to show for a served host. It is
	// called at every handshake, from many goroutines.
	Certificate func(host string) (*tls.Certificate, error)
	// CAPEM is what clients must trust; it is served as /ca.pem.
	CAPEM []byte
	// Upstream reaches GitHub and everything else.
	Upstream *Upstream
	// Admission says who may use the proxy. The zero value admits everybody.
	Admission Admission
	// PlainHTTP serves http:// requests for served hosts, which leave as https.
	PlainHTTP bool
	// Patience is how long a request or a connection that is more than a client may
	// have at once waits for its turn; 0 means ten seconds.
	Patience time.Duration
	// Log receives one line per request and per tunnel, without secrets.
	Log *slog.Logger
	// Audit receives an event.Record of each request and tunnel, each as a line of JSON in one Write, from
	// many goroutines; nil for none.
	Audit io.Writer
	// Events are called with what became of each request and tunnel, beside the
	// log and the audit log. They must not keep the Event, nor take long.
	Events []func(*event.Event)

	// AuditRequired answers 503 instead of doing what cannot be recorded.
	AuditRequired bool

	stalls stalls // zero for maxStalls
}

// Listener is another listener, whose clients are told otherwise.
type Listener struct {
	net.Listener
	// Client is the name of the client that whoever connects here is; "" for
	// none in particular.
	Client string
	// Admission is in place of the Options' where Client is "".
	Admission Admission
}
