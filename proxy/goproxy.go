package proxy

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/elazarl/goproxy"
)

// newConnect sets goproxy up to take CONNECTs, and nothing else of what it can
// do: it fails open by default, its CA's key is public, its transport does not
// verify certificates, and its own interception leaks credentials to whatever
// host an inner request names (1.9.4; TestInnerHost fails with it).
func newConnect() *goproxy.ProxyHttpServer {
	g := goproxy.NewProxyHttpServer()
	g.Logger = log.New(io.Discard, "", 0)
	g.Tr = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("proxy: goproxy must not dial")
	}}
	g.ConnectDial = nil
	g.ConnectDialWithReq = nil
	g.CertStore = nil
	g.OnRequest().HandleConnect(goproxy.FuncHttpsHandler(connectAction))
	return g
}

// takeConnect answers a CONNECT as was decided.
func (p *Proxy) takeConnect(w http.ResponseWriter, r *http.Request, decided opening) {
	inboundOf(r.Context()).connect = decided
	p.connect.ServeHTTP(safeHijacker{w}, r)
}

// connectAction tells goproxy what becomes of a CONNECT. It never returns nil,
// which goproxy takes for "tunnel".
func connectAction(hostport string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	in := inboundOf(ctx.Req.Context())
	decided := in.connect
	if decided.serve == nil {
		in.leaveUnread() // a ClientHello may follow the CONNECT at once
		ctx.Resp = decided.refused.Response(ctx.Req)
		return &goproxy.ConnectAction{Action: goproxy.ConnectReject}, hostport
	}
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: func(r *http.Request, conn net.Conn, _ *goproxy.ProxyCtx) {
		decided.serve(r.Context(), conn)
	}}, hostport
}
