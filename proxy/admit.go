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
	"slices"
	"strings"
	"sync"

	"ghapp-proxy/answer"
	"ghapp-proxy/policy"
)

// Admission says who may use the proxy. The zero value admits everybody that
// can connect.
type Admission struct {
	// SameUser admits only processes of the user that runs the proxy, on the same
	// machine, unless the Policy has Anonymous. It can be told on Linux; elsewhere
	// it is ignored.
	SameUser bool
	// Password, if set, must be sent as Proxy-Authorization: Basic, with any
	// user name.
	Password string
	// Private serves one client only: whoever is admitted is As, nil for
	// somebody without limits, and the Clients of the Policy are not asked.
	Private bool
	As      *policy.Client
}

// peer is what is known about the process at the other end of a connection.
// It is looked up once, when the connection makes its first request.
type peer struct {
	conn    net.Conn
	arrival *arrival // the same
	once    sync.Once
	uid     uint32
	err     error
}

type peerKey struct{}

// withPeer is the outer server's ConnContext.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(withClientConn(ctx, conn), peerKey{}, &peer{conn: conn, arrival: arrivalOf(conn)})
}

// owner returns the uid of the process at the other end.
func (p *peer) owner() (uint32, error) {
	p.once.Do(func() { p.uid, p.err = peerUID(bare(p.arrival.Conn)) })
	return p.uid, p.err
}

var anotherUser = answer.Define(answer.Kind{
	Status: http.StatusForbidden, Code: answer.RequestDenied,
	Title:  "%s",
	Remedy: "run the proxy as the same user, give the client a proxy of its own with `ghapp-proxy run`, or set allow_anonymous = true",
	About:  "uid … may not use the proxy of uid …",
})

var noPassword = answer.Define(answer.Kind{
	Status: http.StatusProxyAuthRequired, Code: answer.RequestDenied,
	Title:  "this proxy asks for a password",
	Remedy: "put it into the proxy URL: http://USER:PASSWORD@HOST:PORT",
})

// admit reports whether the request's client may use the proxy; if not, what
// to answer.
func (a *Admission) admit(r *http.Request) *answer.Refusal {
	if a.SameUser {
		if why := sameUser(r.Context()); why != "" {
			return anotherUser.Refuse(why)
		}
	}
	if sent := r.Header.Get("Proxy-Authorization"); a.Password != "" && !a.passwordMatches(sent) {
		refused := noPassword.Refuse()
		refused.Challenge = sent == ""
		return refused
	}
	return nil
}

// sameUser says why the peer is not known to be the user that runs the proxy,
// "" if it is. What cannot be found out is refused, where it can be at all.
func sameUser(ctx context.Context) string {
	if tellsPeers && !tellsPeer(ctx) {
		return "the connection is from another machine, and the proxy serves its own user"
	}
	return checkPeer(ctx, func(uid uint32) string {
		if int(uid) != os.Getuid() {
			return fmt.Sprintf("uid %d may not use the proxy of uid %d", uid, os.Getuid())
		}
		return ""
	})
}

// admitsPeer says why the peer is not a user that a client's own listener is
// for, "" if it is: one of its UIDs, the user that runs the proxy if there are
// none. On another machine, where that cannot be told, its address has to be in
// the Networks.
func admitsPeer(r *http.Request, c *policy.Client) string {
	addr := addressOf(r.RemoteAddr)
	if addr.IsValid() && !addr.IsLoopback() && !c.ConnectsFrom(addr) && !tellsPeer(r.Context()) {
		return "the listener of client " + c.Name + " is not for " + addr.String()
	}
	return checkPeer(r.Context(), func(uid uint32) string {
		if slices.Contains(c.UIDs, uid) || len(c.UIDs) == 0 && int(uid) == os.Getuid() {
			return ""
		}
		return fmt.Sprintf("uid %d may not use the listener of client %s", uid, c.Name)
	})
}

// tellsPeer reports whether the user at the other end can be found out.
func tellsPeer(ctx context.Context) bool {
	p, ok := ctx.Value(peerKey{}).(*peer)
	return ok && canTellPeer(p.conn.LocalAddr(), p.conn.RemoteAddr())
}

// checkPeer lets judge say why a process of that user is refused. Peers on other
// machines pass.
func checkPeer(ctx context.Context, judge func(uid uint32) string) string {
	p, ok := ctx.Value(peerKey{}).(*peer)
	if !ok {
		return "the connection's peer is not known"
	}
	if !canTellPeer(p.conn.LocalAddr(), p.conn.RemoteAddr()) {
		return ""
	}
	uid, err := p.owner()
	if err != nil {
		return "the user at the other end of the connection could not be found out: " + err.Error()
	}
	return judge(uid)
}

// passwordMatches compares in constant time.
func (a *Admission) passwordMatches(header string) bool {
	_, password, ok := parseBasic(header)
	got, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(a.Password))
	return ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// maxBasic bounds the header that is decoded, in bytes.
const maxBasic = 1 << 10

// parseBasic reads Proxy-Authorization: Basic (RFC 7617, section 2).
func parseBasic(header string) (user, password string, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") || len(encoded) > maxBasic {
		return "", "", false
	}
	credentials, err := base64.StdEncoding.DecodeString(strings.Trim(encoded, " "))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(credentials), ":")
}
