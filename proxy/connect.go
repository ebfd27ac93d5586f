package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"
)

var noDestination = answer.Define(answer.Kind{
	Status: http.StatusBadRequest, Code: answer.RequestError,
	Title: "CONNECT needs HOST:PORT",
})

// decideHost decides about a connection to a host: served hosts are intercepted,
// others are tunnelled.
func (p *Proxy) decideHost(by *lease, hostport string, c caller, how entrance) opening {
	name, port := github.SplitHost(hostport)
	host, served := by.hosts[name]
	switch {
	case name == "" || port == "":
		return opening{refused: noDestination.Refuse()}
	case !isASCII(hostport): // not the name, whose lower case may be ASCII
		return opening{refused: notASCII.Refuse(name)}
	case served && port != "443":
		return opening{refused: otherPort.Refuse(port, name)}
	case served:
		if denial := c.client.DecideHost(name); denial != nil {
			return opening{refused: decide.Denied(denial)}
		}
		return opening{serve: func(_ context.Context, conn net.Conn) { p.intercept(conn, session{host: host, caller: c}, how) }}
	}
	to, refused := by.mayTunnel(hostport)
	if refused == nil {
		refused = c.usage.keepPace(c.usage.bounds())
	}
	if refused == nil {
		refused = c.keepGrantPace()
	}
	if refused != nil {
		return opening{refused: refused}
	}
	return opening{serve: func(ctx context.Context, conn net.Conn) { p.openTunnel(ctx, by, conn, to, c, how) }}
}

// intercept tells the client that its host is there, and lets the connection go
// on by itself.
func (p *Proxy) intercept(conn net.Conn, s session, how entrance) {
	if client := clientConnOf(conn); client != nil {
		client.intercept()
	}
	s.slot.to.Store(&heading{host: s.host}) // should it not any more, the first request tells
	s.slot.attach(conn)
	c := &interceptedConn{Conn: conn, session: s}
	if _, err := io.WriteString(c, how.accepted); err != nil {
		c.Close()
		return
	}
	go p.handshake(c)
}

// tlsConfig is what clients negotiate with inside an intercepted connection.
// Sessions resume across connections, hosts and restarts: both configurations have the
// same tickets.
func (p *Proxy) tlsConfig() *tls.Config {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12, // libgit2 speaks no newer
		NextProtos: []string{"h2", "http/1.1"},
		// Bulk data goes faster in full records from the start.
		DynamicRecordSizingDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			intercepted, ok := hello.Conn.(*interceptedConn)
			if !ok {
				return nil, fmt.Errorf("proxy: a %T cannot be intercepted", hello.Conn)
			}
			intercepted.shown = true
			return p.current.Load().parts.Certificate(intercepted.session.host.Name)
		},
	}
	(&tickets{secret: func() []byte { return p.current.Load().parts.TicketSecret }}).use(base)
	bulk := base.Clone()
	bulk.NextProtos = []string{"http/1.1"}
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		// Bulk data costs 1.7 times the CPU in HTTP/2 (golang/go issue 47840).
		// A client that offers HTTP/2 alone has it all the same.
		intercepted, ok := hello.Conn.(*interceptedConn)
		if ok {
			intercepted.sni, _ = github.SplitHost(hello.ServerName)
		}
		if ok && isBulk(intercepted.session.host) && !offersHTTP2Alone(hello) {
			return bulk, nil
		}
		return nil, nil
	}
	return base
}

// offersHTTP2Alone reports whether a client takes HTTP/2 and no HTTP/1.1, as
// node:http2 does.
func offersHTTP2Alone(hello *tls.ClientHelloInfo) bool {
	return slices.Contains(hello.SupportedProtos, "h2") && !slices.Contains(hello.SupportedProtos, "http/1.1")
}

// isBulk reports whether a host mostly serves clones and archives.
func isBulk(host github.Host) bool {
	return host.Service == github.Web || host.Service == github.Codeload || host.Service == github.GHES
}
