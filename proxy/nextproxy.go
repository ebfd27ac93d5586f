package proxy

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// NextProxy is another HTTP proxy on the way to a host.
type NextProxy struct {
	URL *url.URL // http or https, with its port, and with user and password if it asks for them
	// Name is what names it to whoever runs this proxy: a key of the
	// configuration, or a variable of the environment.
	Name string
}

func hostPort(target *url.URL) string {
	return net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), defaultPort(target.Scheme)))
}

// nextProxyError says that the next proxy, and not the host behind it, is to
// blame.
type nextProxyError struct {
	name   string // of the proxy
	to     string // what was asked for, "host:port"
	status int    // with which it refused, 0 if it did not answer
	err    error  // why it did not answer, nil if it refused
}

// Error implements error.
func (e *nextProxyError) Error() string {
	if e.err != nil {
		return fmt.Sprintf("the upstream proxy (%s) could not be used: %v", e.name, e.err)
	}
	return fmt.Sprintf("the upstream proxy (%s) answered %d %s to a request for %s", e.name, e.status, http.StatusText(e.status), e.to)
}

// Unwrap returns why the proxy did not answer.
func (e *nextProxyError) Unwrap() error { return e.err }

// Permanent reports that the same will be refused again: what the proxy wants is
// in its configuration or in ours.
func (e *nextProxyError) Permanent() bool { return e.status >= 400 && e.status < 500 }

// remedy is what can be done about it.
func (e *nextProxyError) remedy() string {
	switch {
	case e.status == http.StatusProxyAuthRequired:
		return "give it the user and the password that it asks for: USER:PASSWORD@ before the host in " + e.name
	case e.status != 0:
		return "ask those who run it"
	default:
		return "check " + e.name
	}
}

// blame wraps an error of speaking to the proxy.
func (n *NextProxy) blame(to string, err error) error {
	if err == nil {
		return nil
	}
	return &nextProxyError{name: n.Name, to: to, err: err}
}

// connectThrough asks the proxy at the other end of conn for a tunnel to addr.
// Where it refuses, there is only the status.
func connectThrough(ctx context.Context, conn net.Conn, user *url.Userinfo, addr string) (tunnel net.Conn, status int, err error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": {""}}}
	if user != nil {
		req.Header.Set("Proxy-Authorization", basic(user))
	}
	if err := req.Write(conn); err != nil {
		return nil, 0, err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxAnswerHead))
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, 0, fmt.Errorf("read its answer to CONNECT: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode, nil
	}
	if !stop() {
		return nil, 0, ctx.Err()
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, 0, err
	}
	return withPrefix(conn, r), resp.StatusCode, nil
}

// basic is a user's Proxy-Authorization (RFC 7617).
func basic(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}
