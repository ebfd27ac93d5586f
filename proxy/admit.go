package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
	"ghapp-proxy/policy"
	"ghapp-proxy/transparent"
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
	// Grant, if set, is what whoever a Private one admits holds: it is the client of that grant within its limits, in
	// place of As, for as long as the grant is good.
	Grant string
}

// evidence is by what a client is told.
type evidence struct {
	peer     *peer        // at the other end of its connection
	listener net.Listener // by which that came in
	// proxyAuthorization is the field that the client has sent, "" for none.
	proxyAuthorization string
	// waits is the request that waits while an issuer of tokens is asked for its keys; nil
	// where nobody waits, and nobody is asked.
	waits context.Context
}

// proof is what somebody holds that makes it a client, within limits. The zero value is
// for who has nothing of the kind; both are there where one was exchanged for the other.
type proof struct {
	grant *grant.Held
	token *oidc.Held
	until time.Time // when the certificate ends that was shown, beside the grant, or alone; zero for none
}

// peer is the other end of a connection. Its user is looked up once, when
// that is first asked for.
type peer struct {
	conn net.Conn
	to   *transparent.Target // that it has connected to, nil for the proxy's own address
	once sync.Once
	uid  uint32
	err  error

	certified atomic.Pointer[certified] // by the state in force, nil before that was asked
}

// address is that of the peer, the zero value for a Unix socket.
func (p *peer) address() netip.Addr { return addressOf(p.conn.RemoteAddr().String()) }

// owner returns the uid of the process at the other end.
func (p *peer) owner() (uint32, error) {
	p.once.Do(func() {
		to := p.conn.LocalAddr()
		if p.to != nil {
			to = net.TCPAddrFromAddrPort(p.to.Addr)
		}
		p.uid, p.err = peerUID(p.socket(), to)
	})
	return p.uid, p.err
}

// socket is what its connection is to the system.
func (p *peer) socket() net.Conn {
	if c := clientConnOf(p.conn); c != nil {
		return c.Conn
	}
	return p.conn
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

// admit reports whether a client may use the proxy; if not, what to answer.
func (a *Admission) admit(by evidence) *answer.Refusal {
	if a.SameUser {
		if why := by.peer.sameUser(); why != "" {
			return anotherUser.Refuse(why)
		}
	}
	if sent := by.proxyAuthorization; a.Password != "" && !a.passwordMatches(sent) {
		refused := noPassword.Refuse()
		refused.Challenge = sent == ""
		return refused
	}
	return nil
}

// sameUser says why the peer is not known to be the user that runs the proxy,
// "" if it is. What cannot be found out is refused, where it can be at all.
func (p *peer) sameUser() string {
	if tellsPeers && !p.tellable() {
		return "the connection is from another machine, and the proxy serves its own user"
	}
	return p.check(func(uid uint32) string {
		if int(uid) != os.Getuid() {
			return fmt.Sprintf("uid %d may not use the proxy of uid %d", uid, os.Getuid())
		}
		return ""
	})
}

// mayUseListener says why the peer is not a user that a client's own listener is
// for, "" if it is: one of its UIDs, the user that runs the proxy if there are
// none. On another machine, where that cannot be told, its address has to be in
// the Networks.
func (p *peer) mayUseListener(c *policy.Client) string {
	addr := p.address()
	if addr.IsValid() && !addr.IsLoopback() && !c.ConnectsFrom(addr) && !p.tellable() {
		return "the listener of client " + c.Name + " is not for " + addr.String()
	}
	return p.check(func(uid uint32) string {
		if slices.Contains(c.UIDs, uid) || len(c.UIDs) == 0 && int(uid) == os.Getuid() {
			return ""
		}
		return fmt.Sprintf("uid %d may not use the listener of client %s", uid, c.Name)
	})
}

// tellable reports whether the user at the other end can be found out.
func (p *peer) tellable() bool { return canTellPeer(p.conn.LocalAddr(), p.conn.RemoteAddr()) }

// check lets judge say why a process of that user is refused. Peers on other
// machines pass.
func (p *peer) check(judge func(uid uint32) string) string {
	if !p.tellable() {
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

// maxBasic bounds the header that is decoded, in bytes: a token fits, and so does a
// grant, with the name of its client, in base64.
const maxBasic = (max(oidc.MaxText, grant.MaxText) + 128) * 4 / 3

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
