package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
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
