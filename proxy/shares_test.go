package proxy_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/policy"
)

// eventLog collects Events.
type eventLog struct {
	mu  sync.Mutex
	all []event.Event
}

func (l *eventLog) add(e *event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, *e)
}

// wait waits for n of them.
func (l *eventLog) wait(t *testing.T, n int) []event.Event {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		all := l.all
		l.mu.Unlock()
		if len(all) >= n {
			return all
		}
	}
	t.Fatalf("there are no %d events", n)
	return nil
}

// TestShares: what GitHub, the queue and the client take is not the proxy's own time,
// nor is the passing of bodies.
func TestShares(t *testing.T) {
	const long = 300 * time.Millisecond
	var events eventLog
	w := start(t, func(s *setup) {
		s.options.Patience = 10 * time.Second
		s.options.Clients = clients(t, &policy.Client{Name: "one", Networks: loopback, Limits: policy.Limits{MaxRequests: 1}})
		s.options.Events = append(s.options.Events, events.add)
	})
	w.github.Handle("api.github.com", "/repos/acme/thinks", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(long)
		io.WriteString(w, "{}")
	}))
	w.github.Handle("api.github.com", "/repos/acme/streams", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		http.NewResponseController(w).Flush()
		time.Sleep(long)
		io.WriteString(w, "{}")
	}))
	client := w.client(t, true)
	get := func(path string) {
		resp, err := client.Get("https://api.github.com" + path)
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	check := func(e event.Event, share time.Duration, what string) {
		t.Helper()
		if share < long {
			t.Errorf("%s: %s took %v, want %v at least: %+v", e.Path, what, share, long, e)
		}
		if e.Own <= 0 || e.Own+e.Queued+e.GitHub > e.Duration || e.Own > e.Duration-long {
			t.Errorf("%s: own %v of %v, queued %v, GitHub %v", e.Path, e.Own, e.Duration, e.Queued, e.GitHub)
		}
	}
	get("/repos/acme/thinks")
	e := events.wait(t, 1)[0]
	check(e, e.GitHub, "GitHub")

	get("/repos/acme/streams")
	e = events.wait(t, 2)[1]
	check(e, e.Duration-e.GitHub, "the body")

	var both sync.WaitGroup
	both.Go(func() { get("/repos/acme/thinks") })
	both.Go(func() { get("/repos/acme/thinks") })
	both.Wait()
	list := events.wait(t, 4)
	e = list[3]
	check(e, e.GitHub, "GitHub")
	if e.Queued < long/2 {
		t.Errorf("the second waited for %v, want most of %v", e.Queued, long)
	}

	body, write := io.Pipe()
	go func() {
		time.Sleep(long)
		io.WriteString(write, `{"query":"{viewer{login}}"}`)
		write.Close()
	}()
	resp, err := client.Post("https://api.github.com/graphql", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	e = events.wait(t, 5)[4]
	check(e, e.Duration-e.Own-e.GitHub, "the client")

	if stats := w.proxy.Stats(); len(stats.Clients) != 2 || stats.Tunnels != 0 {
		t.Errorf("%+v", stats)
	}
}
