package proxy

import (
	"context"
	"net"
	"net/http"

	"ghapp-proxy/answer"
)

// inbound is a connection by which requests come in, and what is known of it.
type inbound struct {
	client  *clientConn // which it is, or is under its TLS; nil for none
	arrival *arrival    // of the outer server's, else nil
	peer    *peer       // of the outer server's, else nil
	session *session    // of the inner server's, else nil
	connect opening     // of the CONNECT that takes it, the zero value before
}

// opening is what was decided about a connection to a host. That of a CONNECT
// travels with its connection, which has only one, through goproxy.
type opening struct {
	refused *answer.Refusal // nil if it is served
	// serve owns the connection from then on.
	serve func(ctx context.Context, conn net.Conn)
}

type inboundKey struct{}

// withInbound is the outer server's ConnContext.
func withInbound(ctx context.Context, conn net.Conn) context.Context {
	in := &inbound{client: clientConnOf(conn), arrival: arrivalOf(conn), peer: &peer{conn: conn}}
	if in.arrival != nil {
		in.peer.to = in.arrival.to
	}
	return context.WithValue(ctx, inboundKey{}, in)
}

// inboundOf is the connection by which a request came in, nil if that is not
// known.
func inboundOf(ctx context.Context) *inbound {
	in, _ := ctx.Value(inboundKey{}).(*inbound)
	return in
}

// evidence is by what the client of a request to the outer server is told.
func (in *inbound) evidence(header http.Header) evidence {
	return evidence{peer: in.peer, listener: in.arrival.listener, proxyAuthorization: header.Get("Proxy-Authorization")}
}

// leaveUnread is that of the connection.
func (in *inbound) leaveUnread() {
	if in != nil && in.client != nil {
		in.client.leaveUnread()
	}
}
