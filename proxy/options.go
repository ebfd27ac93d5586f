package proxy

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/cache"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
	"ghapp-proxy/transparent"
)

// Options are the parts of a Proxy. All are required unless they say otherwise.
type Options struct {
	// Configuration is what is in force until Replace.
	Configuration
	// Admission says who may use the proxy. The zero value admits everybody.
	Admission Admission
	// Form is what clients speak at the first listener.
	Form Form
	// Patience is how long a request or a connection that is more than a client may
	// have at once waits for its turn; 0 means ten seconds.
	Patience time.Duration
	// Log receives one line per request and per tunnel, without secrets.
	Log *slog.Logger
	// Events are called with what became of each request and tunnel, beside the
	// log and the audit log. They must not keep the Event, nor take long.
	Events []func(*event.Event)
	// Revoked is what all replicas know to be revoked of placeholders; nil where there is one
	// proxy.
	Revoked RevokedSet

	stalls   stalls       // zero for maxStalls
	draining *atomic.Bool // of the Proxy
}

// Configuration is all that Replace can put in place of another while the proxy runs.
type Configuration struct {
	// Policy says who may do what. The zero value is usable.
	Policy
	// Hosts are intercepted; everything else is tunnelled, where the egress
	// policy of Upstream lets it.
	Hosts []github.Host
	// Credentials are injected.
	Credentials *auth.Source
	// Certificate returns the certificate to show for a served host. It is
	// called at every handshake, from many goroutines.
	Certificate func(host string) (*tls.Certificate, error)
	// OwnCertificate returns the certificate to show to a client that speaks TLS to the
	// proxy itself, and calls it by a name, "" for none. nil: nobody can.
	OwnCertificate func(name string) (*tls.Certificate, error)
	// TicketSecret is what keys of TLS sessions are made of. With the same one clients
	// resume a session after a restart, and with another process. nil: with this alone.
	TicketSecret []byte
	// CAPEM is what clients must trust; it is served as /ca.pem.
	CAPEM []byte
	// Upstream reaches GitHub and everything else.
	Upstream *Upstream
	// Cache keeps answers of the REST API, and lets those who ask the same at the same moment
	// share one; nil for neither. The next Configuration may have the same.
	Cache *cache.Cache
	// ShareCache has replicas keep answers for each other, where the Credentials share anything.
	ShareCache bool
	// WithoutRelay has all requests of new connections read by net/http's server.
	WithoutRelay bool
	// PlainHTTP serves http:// requests for served hosts, which leave as https.
	PlainHTTP bool
	// Audit receives an event.Record of each request and tunnel, each as a line of JSON in one Write, from
	// many goroutines; nil for none. What began with another one ends here.
	Audit io.Writer
	// AuditRequired answers 503 instead of doing what cannot be recorded.
	AuditRequired bool
	// Replaced is called, in a goroutine of its own, when another Configuration is in
	// force and nobody uses this one any more; nil for nothing. Tunnels that are open
	// do not count: they need nothing of it.
	Replaced func()
}

// Listener is another listener, whose clients are told otherwise.
type Listener struct {
	net.Listener
	// Client is the name of the client that whoever connects here is; "" for
	// none in particular.
	Client string
	// Address is what the client's Listen was when this was opened.
	Address string
	// Admission is in place of the Options' where Client is "".
	Admission Admission
	// Form is what clients speak here.
	Form Form
	// Names, if not nil, are what addresses stand for, and make the listener one for clients that do not
	// know of a proxy: they connect to hosts, on any port, and the network leads them here.
	Names *transparent.Names
}
