package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/governor"
	"ghapp-proxy/proxy"
)

// crowded is a world whose GitHub takes one request at once, and is busy with one until release is called.
func crowded(t *testing.T) (w *world, busy <-chan error, release func()) {
	t.Helper()
	settings := governor.Default
	settings.Limits.Concurrent, settings.ReadWait, settings.WriteWait = 1, time.Hour, time.Hour
	w, _ = startGoverned(t, settings, 2, nil)
	arrived, gate := make(chan struct{}, 1), make(chan struct{})
	w.github.Handle("api.github.com", "GET /repos/acme/widgets/labels", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-gate
	}))
	first := try(t.Context(), w.clientAs(t, "c0", "c0", false), "GET", widgets+"/labels")
	<-arrived
	return w, first, func() { close(gate) }
}

// awaitWaiting waits until so many requests wait for the limits of an installation.
func (w *world) awaitWaiting(t *testing.T, installation int64, want int) {
	t.Helper()
	waiting := func() int {
		for _, app := range w.source.Stats().Apps {
			for _, inst := range app.Installations {
				if int64(inst.ID) == installation {
					return inst.Held.Waiting
				}
			}
		}
		return 0
	}
	for deadline := time.Now().Add(30 * time.Second); waiting() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait, want %d", waiting(), want)
		}
	}
}

// try sends a request that may be given up, and says what became of it.
func try(ctx context.Context, client *http.Client, method, url string) <-chan error {
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(""))
		if err == nil {
			var resp *http.Response
			if resp, err = client.Do(req); err == nil {
				err = resp.Body.Close()
			}
		}
		done <- err
	}()
	return done
}

// TestGovernedLeaves: of those who leave while they wait nothing waits, and nothing is sent.
func TestGovernedLeaves(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		w, first, release := crowded(t)
		client := w.clientAs(t, "c1", "c1", h2)
		ctx, leave := context.WithCancel(t.Context())
		var left []<-chan error
		for n := range 5 {
			method := []string{"GET", "PATCH"}[n%2]
			left = append(left, try(ctx, client, method, widgets+"/issues/"+strconv.Itoa(n+1)))
		}
		w.awaitWaiting(t, 111, 5)
		leave()
		for _, one := range left {
			if err := <-one; !errors.Is(err, context.Canceled) {
				t.Errorf("h2 %v: who leaves is answered: %v", h2, err)
			}
		}
		w.awaitWaiting(t, 111, 0)
		release()
		if err := <-first; err != nil {
			t.Errorf("h2 %v: the first: %v", h2, err)
		}
		if got := send(t, client, "GET", widgets, ""); got.status != 200 {
			t.Errorf("h2 %v: after those who left: %d %s", h2, got.status, got.body)
		}
		for _, r := range w.github.Requests() {
			if strings.Contains(r.Path(), "/issues/") {
				t.Errorf("h2 %v: %s %s was sent", h2, r.Method, r.Path())
			}
		}
	}
}

// TestGovernedShutdown: the proxy's end waits for those who wait for GitHub's limits, as long as it may; then they are cut off.
func TestGovernedShutdown(t *testing.T) {
	for _, inTime := range []bool{true, false} {
		w, first, release := crowded(t)
		var all []<-chan error
		for n := range 6 {
			all = append(all, try(t.Context(), w.clientAs(t, "c1", "c1", n%2 == 0), "PATCH", widgets+"/issues/1"))
		}
		w.awaitWaiting(t, 111, 6)
		patience := 50 * time.Millisecond
		if inTime {
			patience = 30 * time.Second
			time.AfterFunc(50*time.Millisecond, release)
		}
		end, cancel := context.WithTimeout(t.Context(), patience)
		err := w.proxy.Shutdown(end)
		cancel()
		if cut, ok := errors.AsType[*proxy.CutOffError](err); ok == inTime || ok && (cut.Requests != 7 || cut.Unrecorded != 0) {
			t.Errorf("in time %v: %v", inTime, err)
		}
		for _, one := range append(all, first) {
			if err := <-one; (err == nil) != inTime {
				t.Errorf("in time %v: a request ends with %v", inTime, err)
			}
		}
		if !inTime {
			release()
		}
		w.awaitWaiting(t, 111, 0)
	}
}

// TestGovernedFailsOver: after Retry-After another App that covers the owner serves, at once; when it is told the same, nobody does.
func TestGovernedFailsOver(t *testing.T) {
	const reserve = 7111
	w, _ := startGoverned(t, governor.Default, 1, func(s *setup) { s.apps[1].Installations["acme"] = reserve })
	if _, err := w.github.Install(githubtest.Installation{ID: reserve, App: githubtest.ReleaseBotID, Account: "acme"}); err != nil {
		t.Fatal(err)
	}
	client := w.clientAs(t, "c0", "c0", false)
	told := func() {
		limited(w, 403, map[string]string{"Retry-After": "60"}, "You have exceeded a secondary rate limit.")
	}
	told()
	for n, want := range []struct {
		status int
		by     int64
	}{{403, 111}, {200, reserve}, {200, reserve}} {
		got := send(t, client, "GET", widgets, "")
		if by := w.last(t, "/repos/acme/widgets").Installation; got.status != want.status || by != want.by {
			t.Errorf("request %d: %d by %d, want %d by %d: %s", n, got.status, by, want.status, want.by, got.body)
		}
	}
	told()
	if got := send(t, client, "GET", widgets, ""); got.status != 403 {
		t.Errorf("the other App's own: %d %s", got.status, got.body)
	}
	before := len(w.github.Requests())
	got := send(t, client, "GET", widgets, "")
	if after, _ := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || after < 30 || after > 60 || len(w.github.Requests()) != before {
		t.Errorf("where no App is left: %d, Retry-After %d, %d requests sent: %s", got.status, after, len(w.github.Requests())-before, got.body)
	}
}

// TestGovernedMints: where an App has had as many tokens as GitHub allows in an hour, it asks for no more, and whoever needs one is
// told when, as GitHub would tell. Who has a token goes on.
func TestGovernedMints(t *testing.T) {
	settings := governor.Default
	settings.Limits.MintsAnHour = 1
	w, g := startGoverned(t, settings, 1, nil)
	client := w.clientAs(t, "c0", "c0", false)
	const paper = "https://api.github.com/repos/initech/paper" // of the same App
	if got := send(t, client, "GET", widgets, ""); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for range 2 {
		got := send(t, client, "GET", paper, "")
		after, _ := strconv.Atoi(got.header.Get("Retry-After"))
		if got.status != 429 || after < 3500 || after > 3700 || !strings.Contains(got.body, "1 tokens an hour") || !strings.Contains(got.body, "secondary rate limit") {
			t.Errorf("%d, Retry-After %d, %s", got.status, after, got.body)
		}
	}
	if got := send(t, client, "GET", widgets, ""); got.status != 200 {
		t.Errorf("who has a token: %d %s", got.status, got.body)
	}
	if got := send(t, client, "GET", "https://api.github.com/repos/globex/engine", ""); got.status == 429 {
		t.Errorf("another App: %d %s", got.status, got.body)
	}
	if n := w.github.Mints(); n > 2 {
		t.Errorf("%d mints", n)
	}
	if s := g.Stats(); s.Refused["mints"] == 0 {
		t.Errorf("%+v", s)
	}
}
