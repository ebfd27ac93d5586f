package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/policy"

	"golang.org/x/net/http2"
)

// TestOneClientAsksTooMuch: what GitHub is asked for one client's sake keeps no
// other from being served, however slow GitHub is and whoever hangs up.
func TestOneClientAsksTooMuch(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int64
	w := start(t, func(s *setup) {
		hog, agent := withSecret(), withSecret()
		hog.Name = "hog"
		hog.Limits.LookupsPerMinute = 1_000_000
		s.options.Clients = clients(t, hog, agent)
	})
	w.github.Handle("api.github.com", "/users/{name}/installation", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-release
	}))
	defer close(release)
	client := w.clientAs(t, "hog", agentSecret, true)
	for i := range auth.MaxCalls + 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		go func() {
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("https://api.github.com/users/nobody-%d/repos", i), nil)
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
			}
		}()
	}
	w.eventually(t, "all that a client may ask", func() bool { return asked.Load() == auth.MaxCalls })
	if status, text := get(t, w.clientAs(t, "agent", agentSecret, true), "https://api.github.com/repos/acme/widgets"); status != 200 {
		t.Errorf("another client gets %d %s", status, text)
	}
	if n := asked.Load(); n != auth.MaxCalls {
		t.Errorf("GitHub was asked %d times at once, want %d", n, auth.MaxCalls)
	}
}

// TestRequestsWaitTheirTurn: what a client may not have under way at once waits,
// in HTTP/2 as in many connections.
func TestRequestsWaitTheirTurn(t *testing.T) {
	w := limitedTo(t, policy.Limits{MaxRequests: 10, MaxConnections: 20}, func(s *setup) { s.options.Patience = time.Minute })
	var running, most atomic.Int64
	w.github.Handle("api.github.com", "/slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := running.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(time.Millisecond)
		running.Add(-1)
	}))
	var all sync.WaitGroup
	for _, client := range []*http.Client{
		w.clientAs(t, "agent", agentSecret, true), w.clientAs(t, "agent", agentSecret, true), w.clientAs(t, "agent", agentSecret, false),
	} {
		for range 50 {
			all.Go(func() {
				if status, text := get(t, client, "https://api.github.com/slow"); status != 200 {
					t.Errorf("%d %s, want that it waits", status, text)
				}
			})
		}
	}
	all.Wait()
	if n := most.Load(); n > 10 {
		t.Errorf("%d were under way at once, want 10", n)
	}
	w.eventually(t, "the end of all", func() bool { return w.proxy.Requests("agent") == 0 })
}

// TestStreamsAnnounced: HTTP/2 promises as many streams as there may be requests.
func TestStreamsAnnounced(t *testing.T) {
	w := start(t, nil)
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	frames := http2.NewFramer(conn, conn)
	if err := frames.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := frames.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := frame.(*http2.SettingsFrame).Value(http2.SettingMaxConcurrentStreams); n != policy.DefaultMaxRequests {
		t.Errorf("%d streams are announced, want the default of max_requests, %d", n, policy.DefaultMaxRequests)
	}
}

// TestIdleConnectionsMakeRoom: a connection that nobody uses gives way to one that
// is needed; one that is in use does not.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	w := limitedTo(t, policy.Limits{MaxConnections: 2}, func(s *setup) { s.options.Patience = 10 * time.Second })
	for i, url := range throughAll {
		h2 := i == 0
		clients := []*http.Client{w.clientAs(t, "agent", agentSecret, h2), w.clientAs(t, "agent", agentSecret, h2), w.clientAs(t, "agent", agentSecret, h2)}
		for i, client := range clients {
			if status, text := get(t, client, url); status != 200 {
				t.Fatalf("%s, client %d: %d %s, want 200: another's connection is idle", url, i, status, text)
			}
		}
		for _, client := range clients {
			client.CloseIdleConnections()
		}
		w.eventually(t, "their end", func() bool { return w.proxy.Connections("agent") == 0 })
	}
}

// TestConnectionsWait: one too many gets in when another ends.
func TestConnectionsWait(t *testing.T) {
	w := limitedTo(t, policy.Limits{MaxConnections: 1}, func(s *setup) { s.options.Patience = 10 * time.Second })
	held := w.dial(t)
	if resp := connectOn(t, held, basicAuth("agent", agentSecret)); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	time.AfterFunc(50*time.Millisecond, func() { held.Close() })
	if resp := w.authenticate(t, basicAuth("agent", agentSecret)); resp.StatusCode != 200 {
		t.Errorf("%s, want that it waits for the other's end", resp.Status)
	}
}

// TestUpgradedConnection: one to a host that is not served counts, and has its age.
func TestUpgradedConnection(t *testing.T) {
	const age = 200 * time.Millisecond
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		io.Copy(io.Discard, conn)
	}))
	defer srv.Close()
	w := limitedTo(t, policy.Limits{MaxConnectionAge: age}, nil)
	conn := w.dial(t)
	start := time.Now()
	fmt.Fprintf(conn, "GET %s/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", srv.URL, basicAuth("agent", agentSecret))
	text := make([]byte, 1<<10)
	var got string
	for !strings.Contains(got, "hello") {
		n, err := conn.Read(text)
		if err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		got += string(text[:n])
	}
	if n := w.proxy.Connections("agent"); n != 1 {
		t.Errorf("%d connections count, want the one that was upgraded", n)
	}
	if n, err := conn.Read(text); err == nil || time.Since(start) < age {
		t.Errorf("after %v: %q, %v; want its end after %v", time.Since(start), text[:n], err, age)
	}
	w.eventually(t, "that it counts no longer", func() bool { return w.proxy.Connections("agent") == 0 && w.proxy.Requests("agent") == 0 })
}

// TestConnectsKeepPace: CONNECTs that are refused, and tunnels, count as requests
// do, and what exceeds that does not fill the logs.
func TestConnectsKeepPace(t *testing.T) {
	for name, target := range map[string]string{"refused": "api.github.com:444", "a tunnel": "127.0.0.1:1", "absolute": ""} {
		w := limitedTo(t, policy.Limits{RequestsPerMinute: 30}, nil)
		over := 0
		for range 100 {
			conn := w.dial(t)
			line := "CONNECT " + target
			if target == "" {
				line = "GET http://api.github.com:444/"
			}
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\nConnection: close\r\n\r\n", line, basicAuth("agent", agentSecret))
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(answer), "HTTP/1.1 429 ") {
				over++
			}
			conn.Close()
		}
		if over < 90 {
			t.Errorf("%s: %d of 100 are too many, want all but the first 5 and those that time allows", name, over)
		}
		if n := strings.Count(w.auditText(), "\n"); n < 60 || n > 80 {
			t.Errorf("%s: %d records, want those within the pace, and 60 a minute of the others", name, n)
		}
	}
}
