package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

const agentSecret = "SECRETOFTHEAGENT"

// withSecret is the client "agent", which has a secret.
func withSecret() *policy.Client {
	return &policy.Client{Name: "agent", Secret: policy.HashSecret(agentSecret)}
}

// askedAs returns the status of a request to GitHub's API, and as which client
// the audit log has it; the text of the error that refuses the connection if
// there is one.
func (w *world) askedAs(t testing.TB, client *http.Client, url string) (status int, name, text string) {
	t.Helper()
	before := len(w.records(t))
	resp, err := client.Get(url)
	if err != nil {
		if !strings.Contains(err.Error(), "Proxy Authentication Required") {
			w.eventually(t, "an audit record", func() bool { return len(w.records(t)) > before }) // or it is taken for that of the next
		}
		return 0, "", err.Error()
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusProxyAuthRequired {
		return resp.StatusCode, "", resp.Status // nobody, of whom nothing is recorded
	}
	w.eventually(t, "an audit record", func() bool { return len(w.records(t)) > before })
	return resp.StatusCode, w.records(t)[before].Client, resp.Header.Get("Proxy-Status")
}

// throughAll are requests by CONNECT and in absolute form.
var throughAll = []string{"https://api.github.com/repos/acme/widgets", "http://api.github.com/repos/acme/widgets"}

func TestIdentifyBySecret(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret(), &policy.Client{Name: "nobody"}) })
	for _, url := range throughAll {
		for _, h2 := range []bool{false, true} {
			if status, name, text := w.askedAs(t, w.clientAs(t, "agent", agentSecret, h2), url); status != 200 || name != "agent" {
				t.Errorf("%s with the secret: %d as %q, want agent: %s", url, status, name, text)
			}
		}
		// Without a secret the reason phrase is what is left of a CONNECT's answer.
		if status, _, text := w.askedAs(t, w.client(t, false), url); status != 407 && !strings.Contains(text, "Proxy Authentication Required") {
			t.Errorf("%s without a secret: %d %s, want 407", url, status, text)
		}
	}
	for _, test := range []struct{ name, secret string }{
		{"agent", "wrong"}, {"agent", ""}, {"Agent", agentSecret}, {"", agentSecret}, {"nobody", ""}, {"unknown", agentSecret},
		{"agent", policy.HashSecret(agentSecret).String()},
	} {
		resp := w.authenticate(t, basicAuth(test.name, test.secret))
		if resp.StatusCode != 407 || resp.Header.Get("Proxy-Authenticate") == "" || !strings.Contains(resp.Header.Get("Proxy-Status"), "no client has this name and secret") {
			t.Errorf("as %q: %s %v, want 407", test.name, resp.Status, resp.Header)
		}
	}
	arrived := 0
	for _, r := range w.github.Requests() {
		if r.Path() == "/repos/acme/widgets" {
			arrived++
		}
	}
	if arrived != 4 {
		t.Errorf("%d requests arrived, want 4", arrived)
	}
}

// TestChallenge: the answer to who sends no secret says what to do, the
// connection can be used again, and nothing of it is an alarm.
func TestChallenge(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret()) })
	conn := w.dial(t)
	resp := connectOn(t, conn, "")
	if text := bodyOf(t, resp); resp.StatusCode != 407 || resp.Close || !strings.Contains(text, "ghapp-proxy client add NAME") {
		t.Fatalf("%s, close %v, %q; want a 407 that says what to do", resp.Status, resp.Close, text)
	}
	if resp := connectOn(t, conn, basicAuth("agent", agentSecret)); resp.StatusCode != 200 {
		t.Errorf("with the secret on the same connection: %s", resp.Status)
	}
	for range 100 {
		w.authenticate(t, "")
	}
	if n := strings.Count(w.log.String(), "level=WARN"); n > 0 {
		t.Errorf("%d warnings for clients that were asked for their secret:\n%s", n, w.log)
	}
	if n := strings.Count(w.log.String(), "level=INFO msg=refused"); n > 65 {
		t.Errorf("%d lines at level info for 101 requests without a secret", n)
	}
	if records := w.records(t); len(records) > 0 {
		t.Errorf("the audit log has %+v", records)
	}
}

// TestWrongSecrets: who guesses is slowed down and does not fill the log, and who
// knows is not locked out.
func TestWrongSecrets(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret()) })
	statuses := map[int]int{}
	for i := range 40 {
		resp := w.authenticate(t, basicAuth("agent", fmt.Sprint("guess", i)))
		statuses[resp.StatusCode]++
		if resp.StatusCode == 429 && (resp.Header.Get("Retry-After") == "" || !strings.Contains(resp.Status, "too many wrong secrets from 127.0.0.1")) {
			t.Fatalf("%s %v: want a reason and Retry-After", resp.Status, resp.Header)
		}
	}
	if statuses[407] < 10 || statuses[407] > 12 || statuses[407]+statuses[429] != 40 {
		t.Errorf("answers %v, want 407 about ten times, then 429", statuses)
	}
	if n := strings.Count(w.log.String(), "level=WARN"); n != statuses[407] {
		t.Errorf("%d warnings for %d wrong secrets that were not throttled", n, statuses[407])
	}
	if n := len(w.records(t)); n != statuses[407] {
		t.Errorf("%d audit records for %d wrong secrets that were not throttled", n, statuses[407])
	}
	if resp := w.authenticate(t, basicAuth("agent", agentSecret)); resp.StatusCode != 200 {
		t.Errorf("with the right secret: %s", resp.Status)
	}
	if strings.Contains(w.log.String()+w.auditText(), "guess") {
		t.Errorf("the log has a wrong secret:\n%s", w.log)
	}
}

func TestIdentifyByNetwork(t *testing.T) {
	network := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t, withSecret(),
			&policy.Client{Name: "wide", Networks: network("127.0.0.0/8")},
			&policy.Client{Name: "narrow", Networks: network("127.0.0.2/32")})
	})
	from := func(addr string) *http.Client {
		client := w.client(t, false)
		client.Transport.(noLeaks).next.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}).DialContext
		return client
	}
	for _, url := range throughAll {
		for addr, want := range map[string]string{"127.0.0.1": "wide", "127.0.0.2": "narrow"} {
			if status, name, text := w.askedAs(t, from(addr), url); status != 200 || name != want {
				t.Errorf("%s from %s: %d as %q, want %s: %s", url, addr, status, name, want, text)
			}
		}
		if status, name, _ := w.askedAs(t, w.clientAs(t, "agent", agentSecret, false), url); status != 200 || name != "agent" {
			t.Errorf("%s with a secret: %d as %q, want agent, whatever the address", url, status, name)
		}
	}
	if resp := w.authenticate(t, basicAuth("agent", "wrong")); resp.StatusCode != 407 {
		t.Errorf("with a wrong secret from a network that is known: %s, want 407", resp.Status)
	}
}

// TestIPv4MappedNetwork: on a dual-stack listener an IPv4 client has an address
// of IPv6.
func TestIPv4MappedNetwork(t *testing.T) {
	w := startOn(t, "[::]:0", func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "four", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	})
	_, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	w.addr = net.JoinHostPort("127.0.0.1", port)
	if status, name, text := w.askedAs(t, w.client(t, false), throughAll[0]); status != 200 || name != "four" {
		t.Errorf("%d as %q, want four: %s", status, name, text)
	}
}

// ownListener is a listener for a client, and how to dial it.
func ownListener(t testing.TB, network, address, name string) (*proxy.Listener, func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().String()
	return &proxy.Listener{Listener: ln, Client: name}, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}
}

func TestIdentifyByListener(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	type dial = func(context.Context, string, string) (net.Conn, error)
	dials := map[string]dial{}
	w := start(t, func(s *setup) {
		list := []*policy.Client{withSecret()}
		for name, at := range map[string][2]string{"tcp": {"tcp", "127.0.0.1:0"}, "unix": {"unix", socket}, "gone": {"tcp", "127.0.0.1:0"}} {
			ln, d := ownListener(t, at[0], at[1], name)
			s.own, dials[name] = append(s.own, ln), d
			if name != "gone" {
				// The networks are those of other machines.
				elsewhere := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(len(list))}), 32)
				list = append(list, &policy.Client{Name: name, Listen: at[1], Networks: []netip.Prefix{elsewhere}})
			}
		}
		s.options.Clients = clients(t, list...)
	})
	through := func(d dial, as *http.Client) *http.Client {
		as.Transport.(noLeaks).next.DialContext = d
		return as
	}
	for _, url := range throughAll {
		for _, name := range []string{"tcp", "unix"} {
			if status, got, text := w.askedAs(t, through(dials[name], w.client(t, true)), url); status != 200 || got != name {
				t.Errorf("%s by the listener of %s: %d as %q: %s", url, name, status, got, text)
			}
			// Nobody is somebody else there.
			if status, got, text := w.askedAs(t, through(dials[name], w.clientAs(t, "agent", agentSecret, true)), url); status != 200 || got != name {
				t.Errorf("%s by the listener of %s with another's secret: %d as %q: %s", url, name, status, got, text)
			}
		}
		status, _, text := w.askedAs(t, through(dials["gone"], w.client(t, false)), url)
		if !strings.Contains(text, "the client of this listener is not configured any more") {
			t.Errorf("%s by the listener of a client that is gone: %d %s, want a refusal", url, status, text)
		}
	}
}

// TestListenerOfAnother: a listener that another policy gives to another client serves
// nobody, and one whose client only moves serves it.
func TestListenerOfAnother(t *testing.T) {
	var dial func(context.Context, string, string) (net.Conn, error)
	w := start(t, func(s *setup) {
		var ln *proxy.Listener
		ln, dial = ownListener(t, "tcp", "127.0.0.1:0", "one")
		ln.Address = "127.0.0.1:81"
		s.own = []*proxy.Listener{ln}
		s.options.Clients = clients(t, &policy.Client{Name: "one", Listen: "127.0.0.1:81"}, &policy.Client{Name: "two", Listen: "127.0.0.1:82"})
	})
	client := w.client(t, false)
	client.Transport.(noLeaks).next.DialContext = dial
	for _, test := range []struct{ one, two, refused string }{
		{"127.0.0.1:81", "127.0.0.1:82", ""},
		{"127.0.0.1:82", "127.0.0.1:81", "gives this listener to client two"},
		{"127.0.0.1:83", "127.0.0.1:82", ""},
		{"127.0.0.1:83", "localhost:81", "gives this listener to client two"},
	} {
		w.proxy.ReplacePolicy(proxy.Policy{Clients: clients(t, &policy.Client{Name: "one", Listen: test.one}, &policy.Client{Name: "two", Listen: test.two})})
		for _, url := range throughAll {
			status, name, text := w.askedAs(t, client, url)
			switch {
			case test.refused == "" && (status != 200 || name != "one"):
				t.Errorf("%s with %+v: %d as %q, want one: %s", url, test, status, name, text)
			case test.refused != "" && !strings.Contains(text, test.refused):
				t.Errorf("%s with %+v: %d as %q %s, want a refusal", url, test, status, name, text)
			}
		}
	}
}

// TestOtherAdmission: a listener may admit others than the proxy's own, and a
// private proxy serves its client only, whatever others there are.
func TestOtherAdmission(t *testing.T) {
	own := withSecret()
	own.ReadOnly = true
	var dial func(context.Context, string, string) (net.Conn, error)
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t, own, &policy.Client{Name: "everybody", Networks: loopback})
		s.options.Admission = proxy.Admission{Private: true, As: own, Password: "s3cret"}
		var ln *proxy.Listener
		ln, dial = ownListener(t, "tcp", "127.0.0.1:0", "")
		ln.Admission = proxy.Admission{Private: true, As: own}
		s.own = append(s.own, ln)
	})
	open := w.client(t, false)
	open.Transport.(noLeaks).next.DialContext = dial
	for what, client := range map[string]*http.Client{"with the password": w.clientAs(t, "run", "s3cret", false), "by the second listener": open} {
		if status, name, text := w.askedAs(t, client, throughAll[0]); status != 200 || name != "agent" {
			t.Errorf("%s: %d as %q, want agent: %s", what, status, name, text)
		}
		if status, text := post(t, client, "https://api.github.com/repos/acme/widgets/issues", `{"title":"x"}`); status != 403 || !strings.Contains(text, "client.agent.read_only") {
			t.Errorf("%s: POST: %d %s, want a refusal by read_only", what, status, text)
		}
	}
	for _, credentials := range []string{"", basicAuth("agent", agentSecret), basicAuth("run", "wrong")} {
		if resp := w.authenticate(t, credentials); resp.StatusCode != 407 {
			t.Errorf("without the password: %s, want 407", resp.Status)
		}
	}
}

func TestAnonymous(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients, s.options.Anonymous = clients(t, withSecret()), true })
	if status, name, text := w.askedAs(t, w.client(t, false), throughAll[0]); status != 200 || name != "" {
		t.Errorf("without a secret: %d as %q, want nobody: %s", status, name, text)
	}
	if status, name, _ := w.askedAs(t, w.clientAs(t, "agent", agentSecret, false), throughAll[0]); status != 200 || name != "agent" {
		t.Errorf("with the secret: %d as %q, want agent", status, name)
	}
	// Who fails to be somebody is not taken for nobody, who has no limits.
	if resp := w.authenticate(t, basicAuth("agent", "wrong")); resp.StatusCode != 407 {
		t.Errorf("with a wrong secret: %s, want 407", resp.Status)
	}
}
