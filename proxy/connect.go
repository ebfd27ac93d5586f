package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"

	"github.com/elazarl/goproxy"
)

// newConnect sets goproxy up to take CONNECTs, and nothing else of what it can
// do: it fails open by default, its CA's key is public, its transport does not
// verify certificates, and its own interception leaks credentials to whatever
// host an inner request names (1.9.4; TestInnerHost fails with it).
func (p *Proxy) newConnect() *goproxy.ProxyHttpServer {
	g := goproxy.NewProxyHttpServer()
	g.Logger = log.New(io.Discard, "", 0)
	g.Tr = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("proxy: goproxy must not dial")
	}}
	g.ConnectDial = nil
	g.ConnectDialWithReq = nil
	g.CertStore = nil
	g.OnRequest().HandleConnect(goproxy.FuncHttpsHandler(p.decideConnect))
	return g
}

var noDestination = answer.Define(answer.Kind{
	Status: http.StatusBadRequest, Code: answer.RequestError,
	Title: "CONNECT needs HOST:PORT",
})

// decideConnect decides about one CONNECT: served hosts are intercepted, other
// hosts are tunnelled. It never returns nil, which goproxy takes for "tunnel".
func (p *Proxy) decideConnect(hostport string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	if refused, ok := ctx.Req.Context().Value(refusedKey{}).(*answer.Refusal); ok {
		inboundOf(ctx.Req.Context()).leaveUnread() // a ClientHello may follow the CONNECT at once
		ctx.Resp = refused.Response(ctx.Req)       // and it has been logged
		return &goproxy.ConnectAction{Action: goproxy.ConnectReject}, hostport
	}
	c := ctx.Req.Context().Value(callerKey{}).(caller)
	name, port := github.SplitHost(hostport)
	host, served := p.hosts[name]
	switch {
	case name == "" || port == "":
		return p.reject(ctx, c, noDestination.Refuse()), hostport
	case !isASCII(hostport): // not the name, whose lower case may be ASCII
		return p.reject(ctx, c, notASCII.Refuse(name)), hostport
	case served && port != "443":
		return p.reject(ctx, c, otherPort.Refuse(port, name)), hostport
	case served:
		if denial := c.client.DecideHost(name); denial != nil {
			return p.reject(ctx, c, decide.Denied(denial)), hostport
		}
		return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: func(_ *http.Request, conn net.Conn, _ *goproxy.ProxyCtx) {
			p.intercept(conn, session{host: host, caller: c})
		}}, hostport
	}
	to, refused := p.mayTunnel(hostport)
	if refused == nil {
		refused = c.usage.keepPace(c.usage.bounds())
	}
	if refused != nil {
		return p.reject(ctx, c, refused), hostport
	}
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: func(r *http.Request, conn net.Conn, _ *goproxy.ProxyCtx) {
		p.openTunnel(r, conn, to, c)
	}}, hostport
}

func (p *Proxy) reject(ctx *goproxy.ProxyCtx, c caller, refused *answer.Refusal) *goproxy.ConnectAction {
	inboundOf(ctx.Req.Context()).leaveUnread()
	ctx.Resp = p.noteRefused(ctx.Req, c, refused).Response(ctx.Req)
	return &goproxy.ConnectAction{Action: goproxy.ConnectReject}
}

// intercept answers the CONNECT and lets the connection go on by itself.
func (p *Proxy) intercept(conn net.Conn, s session) {
	s.slot.attach(conn)
	c := &interceptedConn{Conn: conn, session: s}
	if _, err := io.WriteString(c, established); err != nil {
		c.Close()
		return
	}
	go p.handshake(c)
}

// tlsConfig is what clients negotiate with inside an intercepted connection.
// Sessions resume across connections: both configurations share ticket keys.
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
			return p.opts.Certificate(intercepted.session.host.Name)
		},
	}
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
