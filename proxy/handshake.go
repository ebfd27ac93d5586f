package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/panics"
)

// handshake negotiates TLS with the client of an intercepted connection and hands
// it to whoever owns it from then on. net/http would do that too, but its error does
// not say whose connection it was.
func (p *Proxy) handshake(c *interceptedConn) {
	secure := p.negotiate(c)
	switch {
	case secure == nil:
	case speaksHTTP2(secure):
		p.inside.give(secure)
	case p.current.Load().parts.WithoutRelay:
		p.inside.give(&insideConn{Conn: secure})
	default:
		p.relay.serve(&insideConn{Conn: secure})
	}
}

// speaksHTTP2 reports whether HTTP/2 was negotiated. What it looks at is large, and the
// stack of handshake is that of a connection for as long as it lasts.
//
//go:noinline
func speaksHTTP2(conn *tls.Conn) bool { return conn.ConnectionState().NegotiatedProtocol == "h2" }

// negotiate negotiates TLS. Where that fails it closes the connection, and returns nil.
func (p *Proxy) negotiate(c *interceptedConn) (secure *tls.Conn) {
	defer panics.Log(p.opts.Log, "a TLS handshake failed")
	done := false
	defer func() {
		if !done {
			c.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), headTimeout)
	defer cancel()
	conn := tls.Server(c, p.inner.TLSConfig)
	if err := conn.HandshakeContext(ctx); err != nil {
		p.noteHandshake(c, err)
		if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
			if raw := clientConnOf(c); raw != nil {
				raw.leaveUnread()
			}
			noTLS.Refuse().Response(nil).Write(c)
		}
		return nil
	}
	c.ready = time.Now()
	done = true
	return conn
}

var noTLS = answer.Define(answer.Kind{
	Status: http.StatusBadRequest, Code: answer.RequestError,
	Title:  "a request without TLS in a tunnel to port 443",
	Remedy: "use https://, or send http:// requests without CONNECT",
})

// leavesSoon is for how long a connection without a request may have been
// one that the client gave up; others are kept for later, as browsers do.
const leavesSoon = 5 * time.Second

// looksLikeHTTP reports whether what should be a TLS record begins as a request.
func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET":
		return true
	}
	return false
}

// handshakeFault is why there is no TLS with a client, as far as that can be told.
type handshakeFault struct{ message, remedy string }

const (
	untrusting = "a client does not trust the proxy's CA: `ghapp-proxy env` and `ghapp-proxy ca` say what to set"
	trustCA    = "`ghapp-proxy ca` prints the certificate that it has to trust, and `ghapp-proxy env` sets that up for most tools"
)

// alertFaults are the alerts with which clients end a handshake, as crypto/tls
// names them (RFC 8446, section 6.2).
var alertFaults = map[string]handshakeFault{
	"unknown certificate authority":  {untrusting, trustCA},
	"unknown certificate":            {untrusting, trustCA},
	"bad certificate":                {untrusting, trustCA},
	"unsupported certificate":        {untrusting, trustCA},
	"expired certificate":            {"to a client the proxy's certificate has expired, or is not valid yet", "compare the clocks of both machines; `ghapp-proxy ca --renew` makes a CA that has expired anew"},
	"revoked certificate":            {"a client does not find out whether the proxy's certificate is revoked", "turn the check for revocation off in the client: a CA of one's own has no list"},
	"protocol version not supported": {"a client and the proxy have no version of TLS in common", "the proxy speaks TLS 1.2 and 1.3: let the client speak one of them"},
	"handshake failure":              {"a client and the proxy have no way of TLS in common", "update the client's TLS library"},
	"unrecognized name":              {"a client does not know the name of the host that it connects to", "let it send the host's own name (SNI)"},
}

// handshakeFaultOf says what an error of a handshake means; the zero value if
// nothing that somebody could mend.
func handshakeFaultOf(c *interceptedConn, err error) handshakeFault {
	text := err.Error()
	switch {
	case c.sni != "" && c.sni != c.session.host.Name:
		return handshakeFault{"a client asks within a tunnel for another host than the tunnel's", "let it send the name of the host that it connects to (SNI)"}
	case strings.Contains(text, "client offered only unsupported versions"):
		return alertFaults["protocol version not supported"]
	case strings.Contains(text, "no cipher suite supported by both"), strings.Contains(text, "no application protocol"), strings.Contains(text, "unsupported application protocols"):
		return alertFaults["handshake failure"]
	}
	if _, alert, ok := strings.Cut(text, "remote error: tls: "); ok {
		return alertFaults[alert]
	}
	// Some send their alert without encryption, or just leave, once they have
	// seen the certificate.
	left := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if c.shown && (left || strings.HasSuffix(text, "tls: bad record MAC")) {
		return mayNotTrust
	}
	return handshakeFault{}
}

var mayNotTrust = handshakeFault{"a client left when it had seen the proxy's certificate: it may not trust the CA", trustCA}

// noteHandshake logs a handshake that failed.
func (p *Proxy) noteHandshake(c *interceptedConn, err error) {
	p.warnOf(c, handshakeFaultOf(c, err), err)
}

// warnOf warns of a connection that came to nothing, but not of every one.
func (p *Proxy) warnOf(c *interceptedConn, fault handshakeFault, err error) {
	client := c.session.clientName()
	if from := addressOf(c.RemoteAddr().String()); client == "" && from.IsValid() {
		client = from.String()
	}
	level := slog.LevelDebug
	if fault.message != "" && p.handshakes.allow(client+" "+c.session.host.Name) {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("client", client), slog.String("host", c.session.host.Name)}
	if c.sni != "" && c.sni != c.session.host.Name {
		attrs = append(attrs, slog.String("server_name", event.Clip(c.sni)))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	if fault.remedy != "" {
		attrs = append(attrs, slog.String("remedy", fault.remedy))
	}
	p.opts.Log.LogAttrs(context.Background(), level, cmp.Or(fault.message, "a TLS handshake failed"), attrs...)
}

// noteInside is the inner server's ConnState.
func (p *Proxy) noteInside(conn net.Conn, state http.ConnState) {
	secure, c := interceptedOf(conn)
	if c == nil {
		return
	}
	if state == http.StateNew {
		c.idle.start(secure, c.session.slot, idleTimeout)
	}
	c.session.slot.note(state)
	switch {
	case state == http.StateActive:
		c.used.Store(true)
	case state == http.StateClosed && !c.used.Load() && time.Since(c.ready) < leavesSoon && !p.closing.Load():
		p.warnOf(c, mayNotTrust, nil) // some look at the certificate when all is negotiated, as Node.js does
	}
}
