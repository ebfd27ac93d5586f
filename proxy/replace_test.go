package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/rules"
)

// kept are connections of a client, and an answer that it is waiting for: one of
// each kind.
type kept struct {
	conns map[string]net.Conn
	slow  chan error // nil when the answer is there
}

// hold opens connections. The path /slow of the API must not answer.
func (w *world) hold(t testing.TB, name, secret, elsewhere string) *kept {
	t.Helper()
	k := &kept{conns: map[string]net.Conn{}, slow: make(chan error, 1)}
	field := ""
	if name != "" {
		field = "Proxy-Authorization: " + basicAuth(name, secret) + "\r\n"
	}
	for kind, first := range map[string]string{
		"intercepted": "CONNECT api.github.com:443 HTTP/1.1\r\nHost: x\r\n",
		"tunnel":      "CONNECT " + elsewhere + " HTTP/1.1\r\nHost: x\r\n",
		"plain":       "GET http://api.github.com/repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n",
	} {
		conn := w.dial(t)
		fmt.Fprintf(conn, "%sUser-Agent: t\r\n%s\r\n", first, field)
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(first)[0]})
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", kind, resp, err)
		}
		bodyOf(t, resp)
		k.conns[kind] = conn
	}
	client := w.client(t, true)
	if name != "" {
		client = w.clientAs(t, name, secret, true)
	}
	go func() {
		resp, err := client.Get("https://api.github.com/slow")
		if err == nil {
			resp.Body.Close()
		}
		k.slow <- err
	}()
	return k
}

// open says which connections are open, after a moment.
func (k *kept) open(t testing.TB) (open []string) {
	t.Helper()
	for _, kind := range []string{"intercepted", "tunnel", "plain"} {
		if err := k.conns[kind].SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := k.conns[kind].Read(make([]byte, 1))
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			open = append(open, kind)
		}
	}
	select {
	case <-k.slow:
	case <-time.After(50 * time.Millisecond):
		open = append(open, "request")
	}
	return open
}

func TestReplace(t *testing.T) {
	const all, none = "[intercepted tunnel plain request]", "[]"
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	second := func() *policy.Client {
		return &policy.Client{Name: "second", Secret: policy.HashSecret("second")}
	}
	local := func() *policy.Client { return &policy.Client{Name: "local", Networks: loopback} }
	for name, test := range map[string]struct {
		next                  func() proxy.Policy
		agent, local, another string // what stays open
	}{
		"nothing": {func() proxy.Policy {
			return proxy.Policy{Clients: clients(t, local(), withSecret(), second())}
		}, all, all, all},
		"only the rules": {func() proxy.Policy {
			return proxy.Policy{Clients: clients(t, withSecret(), second(), local()), Rules: rules.Set{Exchange: true}, DefaultOwner: "globex"}
		}, all, all, all},
		"limits": {func() proxy.Policy {
			c := withSecret()
			c.Limits = policy.Limits{MaxRequests: 1, MaxConnections: 1, RequestsPerMinute: 1, LookupsPerMinute: 1, MaxBody: 1}
			return proxy.Policy{Clients: clients(t, c, second(), local())}
		}, all, all, all},
		"one is added with networks": {func() proxy.Policy {
			third := &policy.Client{Name: "third", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
			return proxy.Policy{Clients: clients(t, withSecret(), second(), local(), third)}
		}, all, all, all},
		"a network is added": {func() proxy.Policy {
			c := local()
			c.Networks = append(c.Networks[:len(c.Networks):len(c.Networks)], netip.MustParsePrefix("10.0.0.0/8"))
			return proxy.Policy{Clients: clients(t, withSecret(), second(), c)}
		}, all, all, all},
		"something is withdrawn": {func() proxy.Policy {
			c := withSecret()
			c.ReadOnly = true
			return proxy.Policy{Clients: clients(t, c, second(), local())}
		}, none, all, all},
		"a secret": {func() proxy.Policy {
			c := withSecret()
			c.Secret = policy.HashSecret("new")
			return proxy.Policy{Clients: clients(t, c, second(), local())}
		}, none, all, all},
		"one is removed": {func() proxy.Policy { return proxy.Policy{Clients: clients(t, second(), local())} }, none, all, all},
		"one is added": {func() proxy.Policy {
			return proxy.Policy{Clients: clients(t, withSecret(), second(), local(), &policy.Client{Name: "third", Secret: policy.HashSecret("third")})}
		}, all, all, all},
		"a smaller network is another's": {func() proxy.Policy {
			third := &policy.Client{Name: "third", Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
			return proxy.Policy{Clients: clients(t, withSecret(), second(), local(), third)}
		}, all, none, all},
		"all are removed": {func() proxy.Policy { return proxy.Policy{} }, none, none, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret(), second(), local()) })
			arrived := make(chan struct{}, 3)
			end := make(chan struct{})
			w.github.Handle("api.github.com", "/slow", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				select {
				case <-r.Context().Done():
				case <-end:
				}
			}))
			held := map[string]*kept{
				"agent":  w.hold(t, "agent", agentSecret, sink.Addr().String()),
				"local":  w.hold(t, "", "", sink.Addr().String()),
				"second": w.hold(t, "second", "second", sink.Addr().String()),
			}
			for range held {
				<-arrived
			}
			ended := w.proxy.ReplacePolicy(test.next())
			for _, want := range []string{test.agent, test.local, test.another} {
				if want == none {
					ended -= 4
				}
			}
			if ended != 0 {
				t.Errorf("it says that %d connections more have ended than did", ended)
			}
			for who, want := range map[string]string{"agent": test.agent, "local": test.local, "second": test.another} {
				if got := fmt.Sprint(held[who].open(t)); got != want {
					t.Errorf("of %s these are open: %s, want %s", who, got, want)
				}
			}
			close(end)
			for _, k := range held {
				k.conns["tunnel"].Close() // or Shutdown would wait for it
			}
		})
	}
}

// TestReplaceAnonymous: who was nobody may not be anybody afterwards.
func TestReplaceWhoIsNobody(t *testing.T) {
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	for name, test := range map[string]struct {
		before, after proxy.Policy
		open          bool
	}{
		"the same":                   {proxy.Policy{Anonymous: true}, proxy.Policy{Anonymous: true}, true},
		"a client with a secret":     {proxy.Policy{Anonymous: true}, proxy.Policy{Anonymous: true, Clients: clients(t, withSecret())}, true},
		"a client with this network": {proxy.Policy{Anonymous: true}, proxy.Policy{Anonymous: true, Clients: clients(t, &policy.Client{Name: "a", Networks: loopback})}, false},
		"clients only":               {proxy.Policy{}, proxy.Policy{Clients: clients(t, withSecret())}, false},
		"the same user only":         {proxy.Policy{Anonymous: true}, proxy.Policy{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(s *setup) { s.options.Policy = test.before })
			k := w.hold(t, "", "", sink.Addr().String())
			<-k.slow // it is a 404
			k.slow <- nil
			w.proxy.ReplacePolicy(test.after)
			if open := k.open(t); len(open) > 0 != test.open {
				t.Errorf("these are open: %s, want any: %v", open, test.open)
			}
			k.conns["tunnel"].Close()
		})
	}
}

// TestReplaceIsInForce: the next request of a kept connection is decided by the
// new policy.
func TestReplaceIsInForce(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret()) })
	for _, url := range throughAll {
		for _, h2 := range []bool{false, true} {
			conns := 0
			client := w.clientAs(t, "agent", agentSecret, h2)
			transport := client.Transport.(noLeaks).next
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conns++
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			w.proxy.ReplacePolicy(proxy.Policy{Clients: clients(t, withSecret())})
			if status, text := get(t, client, url); status != 200 {
				t.Errorf("before: %d %s", status, text)
			}
			w.proxy.ReplacePolicy(proxy.Policy{Clients: clients(t, withSecret()), Rules: rules.Set{Rules: []rules.Rule{{Operations: []string{"repos/get"}, Deny: "not any more"}}}})
			if status, text := get(t, client, url); status != 403 || !strings.Contains(text, "not any more") {
				t.Errorf("%s, h2 %v: %d %s, want a refusal by the new rule", url, h2, status, text)
			}
			if conns != 1 {
				t.Errorf("%s, h2 %v: %d connections, want the same one", url, h2, conns)
			}
		}
	}
}

// TestReplaceOfAKeptConnection: its next request is one of the client as it is
// configured now, and what was used counts on.
func TestReplaceOfAKeptConnection(t *testing.T) {
	agent := func(change func(*policy.Client)) proxy.Policy {
		c := withSecret()
		change(c)
		return proxy.Policy{Clients: clients(t, c)}
	}
	only := func(repository rules.Glob, more ...rules.Glob) func(*policy.Client) {
		return func(c *policy.Client) { c.Repositories = append([]rules.Glob{repository}, more...) }
	}
	for _, url := range throughAll {
		for _, h2 := range []bool{false, true} {
			w := start(t, func(s *setup) { s.options.Policy = agent(only("acme/gadgets")) })
			client := w.clientAs(t, "agent", agentSecret, h2)
			conns := 0
			client.Transport.(noLeaks).next.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conns++
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			step := func(what string, want int, wantText string) {
				t.Helper()
				if status, text := get(t, client, url); status != want || !strings.Contains(text, wantText) || conns != 1 {
					t.Errorf("%s, h2 %v, %s: %d %s over %d connections, want %d %q over the first", url, h2, what, status, text, conns, want, wantText)
				}
			}
			step("before", 403, "client.agent.repositories")
			w.proxy.ReplacePolicy(agent(only("acme/gadgets", "acme/widgets")))
			step("with the repository granted", 200, "acme/widgets")
			if n := w.proxy.Connections("agent"); n != 1 {
				t.Errorf("%s, h2 %v: %d connections count, want 1", url, h2, n)
			}
			w.proxy.ReplacePolicy(agent(func(c *policy.Client) { c.Limits.RequestsPerMinute = 1 }))
			step("the one of a minute", 200, "acme/widgets")
			step("the second of a minute", 429, "client.agent.requests_per_minute")
			w.proxy.ReplacePolicy(agent(func(c *policy.Client) { c.Limits.RequestsPerMinute, c.DefaultOwner = 1, "acme" }))
			step("the third, with the limit read again", 429, "client.agent.requests_per_minute")
			w.proxy.ReplacePolicy(agent(func(c *policy.Client) {}))
			step("without the limit", 200, "acme/widgets")
			if t.Failed() {
				return
			}
		}
	}
}

// TestReplaceUnderLoad: whatever happens at the same time, a client is served
// or refused with a reason, and nothing is left behind.
func TestReplaceUnderLoad(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret()) })
	done := make(chan struct{})
	var load sync.WaitGroup
	served := make([]int, 8)
	for i := range served {
		load.Go(func() {
			client := w.clientAs(t, "agent", agentSecret, i%2 == 0)
			for {
				select {
				case <-done:
					client.CloseIdleConnections()
					return
				default:
				}
				resp, err := client.Get(throughAll[i/4])
				if err != nil {
					continue // closed under way
				}
				if _, err := io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode == 200 {
					served[i]++
				}
				resp.Body.Close()
			}
		})
	}
	for i := range 60 {
		c := withSecret()
		c.Limits.MaxRequests = 10 + i/2%2
		w.proxy.ReplacePolicy(proxy.Policy{Clients: clients(t, c), DefaultOwner: fmt.Sprint("owner", i)})
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	close(done)
	load.Wait()
	for i, n := range served {
		if n == 0 {
			t.Errorf("worker %d was never served", i)
		}
	}
	w.eventually(t, "the end of all connections and requests", func() bool {
		return w.proxy.Connections("agent") == 0 && w.proxy.Requests("agent") == 0
	})
}
