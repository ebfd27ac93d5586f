package proxy

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"ghapp-proxy/event"

	"github.com/elazarl/goproxy"
)

// Proxy is a forward proxy that injects credentials. It is made by New.
type Proxy struct {
	opts     Options
	connect  *goproxy.ProxyHttpServer
	front    *front // for clients that speak TLS to it
	gateway  *gateway
	outer    http.Server // takes CONNECT and absolute-form requests
	inner    http.Server // takes what is inside a CONNECT to a served host
	inside   *handover   // where the outer hands connections to the inner
	relay    *relay      // serves what it can in place of the inner
	tunnels  tunnels
	underway atomic.Int64 // handlers that run: each writes its records before it ends

	current            atomic.Pointer[generation]
	replacing          sync.Mutex  // held while another is put in force
	doors              []*door     // that Serve listens at
	own                []net.Addr  // their addresses
	guesses, strangers *perAddress // wrong secrets, and those that are not known
	handshakes         *perName    // warnings of those that fail
	closing            atomic.Bool // Shutdown was called
	draining           atomic.Bool // or Drain
	arrivals           arrivals
	entering           atomic.Int64 // see door
	files              files
	events             *event.Sink
	plain              sync.Map // net.Conn that sent a request in absolute form → its *slot
}
