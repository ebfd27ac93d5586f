package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/panics"
	"ghapp-proxy/transparent"
)

// What a client does not get that does not know of the proxy. One that speaks TLS gets an alert for it.
var (
	noTarget = answer.Define(answer.Kind{
		Status: http.StatusMisdirectedRequest, Code: answer.RequestDenied,
		Title: "%v", About: "an address that stands for no name",
		Remedy: "connect to what the proxy's resolver answers, for no longer than it says",
	})
	noHello = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "no ClientHello for %s: %v",
		Remedy: "speak TLS on this port",
	})
	otherName = answer.Define(answer.Kind{
		Status: http.StatusMisdirectedRequest, Code: answer.RequestDenied,
		Title:  "the ClientHello is for %q, but the connection is to %s",
		Remedy: "let the client send the name of the host that it connects to (SNI)",
	})
	noHostField = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "the request to %s has no Host",
		Remedy: "let the client say which host it means (HTTP/1.1)",
	})
	connectHere = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "CONNECT is not for a connection to a host",
		Remedy: "send it to the proxy's own address, or connect to the host",
	})
	noClientHere = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "who does not know of the proxy is a client by its network, and this is nobody's",
		Remedy: "add the address to client.NAME.networks",
	})
)

// The ways in of a client that does not know of the proxy: it is told nothing of that.
var (
	byHello   = entrance{method: http.MethodConnect, refuse: func(client net.Conn, _ *answer.Refusal) { sendAlert(client) }}
	bySilence = entrance{method: http.MethodConnect, refuse: func(net.Conn, *answer.Refusal) {}} // what it speaks is not known
)

// Leads reports whether the proxy leads to a host on some port: the name is in lower case, without a dot at its end.
func (p *Proxy) Leads(name string) bool {
	now := p.current.Load()
	if _, served := now.hosts[name]; served {
		return true
	}
	return now.parts.Upstream.opts.Egress.LeadsTo(name)
}

// serveTransparent serves who comes through the door of a transparent listener: requests of port 80 it gives
// to web.
func (p *Proxy) serveTransparent(d *door, l *Listener, web *handover) error {
	for {
		conn, err := d.Accept()
		if err != nil && p.closing.Load() && errors.Is(err, net.ErrClosed) {
			return http.ErrServerClosed
		}
		if err != nil {
			return err
		}
		go p.enterTransparent(conn.(*arrival), l, web)
	}
}

// enterTransparent finds out where a connection is to lead, and lets it in.
func (p *Proxy) enterTransparent(conn *arrival, l *Listener, web *handover) {
	p.underway.Add(1)
	defer p.underway.Add(-1)
	defer panics.Log(p.opts.Log, "a connection without CONNECT failed")
	owned := false
	defer func() {
		if !owned {
			conn.enter()
			conn.Close()
		}
	}()
	to, err := l.Names.Target(bare(conn))
	switch {
	case err != nil:
		p.refuseStranger(conn, to, noTarget.Refuse(err))
	case to.Addr.Port() == 80:
		conn.to, owned = &to, true
		web.give(conn)
	case to.Name != "" && to.Addr.Port() != 443: // whoever speaks first there
		owned = p.lead(conn, l, to, to.Name, nil, bySilence)
	default:
		conn.silent.Store(true)
		if name, read, ok := p.greet(conn, to); ok {
			owned = p.lead(conn, l, to, name, read, byHello)
		}
	}
}

// greet reads the ClientHello of a connection, and the name in it. It fails if that is not where the connection
// leads.
func (p *Proxy) greet(conn *arrival, to transparent.Target) (name string, read []byte, ok bool) {
	clientConnOf(conn).begun = true // it would take TLS for a mistake
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	name, read, err := readHello(conn)
	conn.SetReadDeadline(time.Time{}) // it fails where reading does
	switch record, notTLS := errors.AsType[tls.RecordHeaderError](err); {
	case notTLS && looksLikeHTTP(record.RecordHeader):
		refused := noTLS.Refuse()
		p.refuseStranger(conn, to, refused)
		clientConnOf(conn).leaveUnread()
		refused.Response(nil).Write(conn)
	case err != nil:
		p.refuseStranger(conn, to, noHello.Refuse(to, err))
	case !to.Means(name):
		p.refuseStranger(conn, to, otherName.Refuse(name, to))
		sendAlert(conn)
	default:
		return name, read, true
	}
	return "", nil, false
}

// lead leads a connection to a host as CONNECT does, and reports whether somebody owns it then. What was read of it
// is put back.
func (p *Proxy) lead(conn *arrival, l *Listener, to transparent.Target, name string, read []byte, how entrance) (owned bool) {
	hostport := net.JoinHostPort(name, strconv.Itoa(int(to.Addr.Port())))
	by := p.use()
	defer by.release()
	evidence := evidence{peer: &peer{conn: conn, to: &to}, listener: l}
	c, refused := p.identify(by.state, evidence)
	if refused != nil {
		refused = withoutChallenge(refused)
		refused.Quiet = !p.strangers.allow(conn.RemoteAddr().String())
	} else {
		conn.identified()
		refused = p.count(context.Background(), evidence, &c)
	}
	conn.enter()
	var decided opening
	if refused == nil {
		defer c.slot.releaseUnused()
		decided = p.decideHost(&by, hostport, c, how)
		refused = decided.refused
	}
	if refused != nil {
		p.noteRefused(asConnect(conn, hostport), c, refused)
		how.refuse(conn, refused)
		return false
	}
	client := arrived(conn)
	if len(read) > 0 {
		client = unread(client, read)
	}
	decided.serve(context.Background(), client)
	return true
}

// refuseStranger logs why a connection is closed of which nobody knows whose it is, but not of every one.
func (p *Proxy) refuseStranger(conn net.Conn, to transparent.Target, refused *answer.Refusal) {
	refused.Quiet = !p.strangers.allow(conn.RemoteAddr().String())
	p.noteRefused(asConnect(conn, net.JoinHostPort(to.String(), strconv.Itoa(int(to.Addr.Port())))), caller{led: true}, refused)
}

// asConnect is the CONNECT in whose place a connection stands, for the log.
func asConnect(conn net.Conn, hostport string) *http.Request {
	return &http.Request{Method: http.MethodConnect, URL: &url.URL{Host: hostport}, RemoteAddr: conn.RemoteAddr().String()}
}

// withoutChallenge is a refusal for who cannot say a secret, since it does not know of the proxy.
func withoutChallenge(refused *answer.Refusal) *answer.Refusal {
	if refused.Status == http.StatusProxyAuthRequired {
		return noClientHere.Refuse()
	}
	return refused
}

// asAbsolute makes a request to a host, of a client that does not know of the proxy, one to the proxy.
func asAbsolute(r *http.Request, to *transparent.Target) *answer.Refusal {
	r.Header.Del("Proxy-Authorization") // it is not for us
	if r.Method == http.MethodConnect {
		return connectHere.Refuse()
	}
	name, port := github.SplitHost(r.Host)
	switch {
	case r.Host == "":
		return noHostField.Refuse(to)
	case !to.Means(name) || port != "" && port != "80":
		return otherHost.Refuse("host", r.Host, to)
	}
	if !r.URL.IsAbs() {
		r.URL.Scheme, r.URL.Host = "http", r.Host
		r.RequestURI = "http://" + r.Host + strings.TrimPrefix(r.RequestURI, "*") // RFC 9112, section 3.2.4
	}
	return nil
}
