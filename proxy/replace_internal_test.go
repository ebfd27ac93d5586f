package proxy

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"

	"ghapp-proxy/policy"
)

// another is how a process of another user is told that is behind conn.
func another(conn net.Conn) evidence {
	from := &peer{conn: conn, uid: uint32(os.Getuid()) + 1}
	from.once.Do(func() {}) // it has been looked up
	return evidence{peer: from}
}

// Who else is served follows the policy in force, and not the first one.
func TestReplaceAnonymous(t *testing.T) {
	if !canTellPeer(&net.TCPAddr{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}) {
		t.Skip("nobody can tell the user of a connection")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	clients, _ := policy.NewSet([]*policy.Client{{Name: "agent"}})
	p := New(Options{
		Configuration: Configuration{Upstream: NewUpstream(UpstreamOptions{}), Policy: Policy{Anonymous: true}},
		Log:           slog.New(slog.DiscardHandler), Admission: Admission{SameUser: true},
	})
	for _, step := range []struct {
		policy Policy
		want   int  // 0 for served
		kept   bool // whoever was served stays connected
	}{
		{Policy{Anonymous: true}, 0, true},
		{Policy{}, http.StatusForbidden, false},
		{Policy{Clients: clients}, http.StatusProxyAuthRequired, false},
		{Policy{Clients: clients, Anonymous: true}, 0, true},
	} {
		before := p.current.Load().callers[""]
		held := &slot{usage: before.usage}
		held.told.Store(before.identity(another(conn)))
		p.ReplacePolicy(step.policy)
		status := 0
		if _, refused := p.identify(p.current.Load().state, another(conn)); refused != nil {
			status = refused.Status
		}
		if status != step.want {
			t.Errorf("another user is answered %d by %+v, want %d", status, step.policy, step.want)
		}
		if kept := p.isStill(held, p.current.Load().state); kept != step.kept {
			t.Errorf("connections of another user are kept by %+v: %v, want %v", step.policy, kept, step.kept)
		}
	}
}

// Who is served without being known has no more of the proxy than a client.
func TestAnonymousBounds(t *testing.T) {
	for anonymous, want := range map[bool]policy.Limits{false: {}, true: policy.Limits{}.WithDefaults()} {
		if got := newState(Policy{Anonymous: anonymous}, nil, nil).callers[""].usage.bounds().Limits; got != want {
			t.Errorf("anonymous %v: limits %+v, want %+v", anonymous, got, want)
		}
	}
}
