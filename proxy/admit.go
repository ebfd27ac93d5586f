package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

// Admission says who may use the proxy. The zero value admits everybody that
// can connect.
type Admission struct {
	// SameUser admits only processes of the user that runs the proxy. It can
	// be told on Linux and for loopback connections; elsewhere it is ignored.
	SameUser bool
	// Password, if set, must be sent as Proxy-Authorization: Basic, with any
	// user name.
	Password string
}

// peer is what is known about the process at the other end of a connection.
// It is looked up once, when the connection makes its first request.
type peer struct {
	conn net.Conn
	once sync.Once
	uid  uint32
	err  error
}

type peerKey struct{}

// withPeer is the outer server's ConnContext.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, &peer{conn: conn})
}

// owner returns the uid of the process at the other end.
func (p *peer) owner() (uint32, error) {
	p.once.Do(func() { p.uid, p.err = peerUID(p.conn.RemoteAddr(), p.conn.LocalAddr()) })
	return p.uid, p.err
}

// admit reports whether the request's client may use the proxy; if not, what
// to answer.
func (a *Admission) admit(r *http.Request) *refusal {
	if a.SameUser {
		if why := sameUser(r.Context()); why != "" {
			return &refusal{
				status: http.StatusForbidden, code: "http_request_denied", title: why,
				remedy: "run the proxy as the same user, give the client a proxy of its own with `ghapp-proxy run`, or set allow_anonymous = true",
			}
		}
	}
	if a.Password != "" && !a.passwordMatches(r.Header.Get("Proxy-Authorization")) {
		return &refusal{
			status: http.StatusProxyAuthRequired, code: "http_request_denied", title: "this proxy asks for a password",
			remedy: "put it into the proxy URL: http://USER:PASSWORD@HOST:PORT",
		}
	}
	return nil
}

// sameUser says why the peer is not known to be the user that runs the proxy,
// "" if it is. What cannot be found out is refused.
func sameUser(ctx context.Context) string {
	p, ok := ctx.Value(peerKey{}).(*peer)
	if !ok {
		return "the connection's peer is not known"
	}
	if !canTellPeer(p.conn.RemoteAddr()) {
		return ""
	}
	uid, err := p.owner()
	if err != nil {
		return "the user at the other end of the connection could not be found out: " + err.Error()
	}
	if int(uid) != os.Getuid() {
		return fmt.Sprintf("uid %d may not use the proxy of uid %d", uid, os.Getuid())
	}
	return ""
}

// passwordMatches compares in constant time.
func (a *Admission) passwordMatches(header string) bool {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return false
	}
	credentials, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return false
	}
	_, password, _ := strings.Cut(string(credentials), ":")
	got, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(a.Password))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
