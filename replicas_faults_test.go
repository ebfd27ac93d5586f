//go:build unix

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/internal/freeport"
	"ghapp-proxy/internal/redistest"
)

// stopEnv is for how long the store is stopped in TestReplicasFaults.
const stopEnv = "GHAPP_PROXY_STORE_STOP"

// TestReplicasFaults: whatever becomes of the store, and of a replica, nothing is refused that can be served, and
// no token is used for another installation. What is asked is always something of which not all have a token.
func TestReplicasFaults(t *testing.T) {
	const each = 60 // owners of whom nobody has asked before
	f := newFleet(t, 6*each, "1s")
	all := f.owners
	for _, fault := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"the store is emptied", func(t *testing.T) {
			f.store.Do("FLUSHALL")
			f.github.RevokeAll()
			f.store.Do("FLUSHALL")
		}},
		{"the store is killed", func(t *testing.T) {
			f.store.Kill()
			time.Sleep(time.Second)
			f.store.Run()
		}},
		{"the store is stopped", func(t *testing.T) {
			f.store.Stop()
			time.Sleep(stopTime(t))
			f.store.Continue()
		}},
		{"a replica is cut off", func(t *testing.T) {
			f.cuts[1].cut(true)
			time.Sleep(time.Second)
			f.cuts[1].cut(false)
		}},
		{"values are swapped and changed", func(t *testing.T) { spoil(t, f.store); time.Sleep(100 * time.Millisecond); spoil(t, f.store) }},
		{"a replica is killed while it mints", func(t *testing.T) {
			slow := f.github.Inject(githubtest.Fault{Match: isMint, Do: slowly(200 * time.Millisecond)})
			time.Sleep(100 * time.Millisecond)
			if err := f.proxies[0].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-f.proxies[0].exited
			time.Sleep(time.Second)
			f.restart(t, 0)
			slow()
		}},
	} {
		before := f.answered.Load()
		f.owners, all = all[:each], all[each:]
		f.during(t, func() {
			time.Sleep(50 * time.Millisecond)
			fault.do(t)
			for end := time.Now().Add(time.Minute); f.answered.Load() < before+300 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			}
		})
		t.Logf("%s: %d requests, %d of which had to connect again", fault.name, f.answered.Load()-before, f.retried.Swap(0))
		f.check(t)
	}
	for i, address := range f.addresses { // each is there, with the store
		waitForStore(t, f.proxies[i], address)
	}
	for _, p := range f.proxies {
		p.stop(t)
	}
}

// slowly has GitHub take its time.
func slowly(d time.Duration) githubtest.Middleware {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(d)
			h.ServeHTTP(w, r)
		})
	}
}

func isMint(r *githubtest.Request) bool { return strings.HasSuffix(r.Path(), "/access_tokens") }

func stopTime(t *testing.T) time.Duration {
	t.Helper()
	return envDuration(t, stopEnv, 2*time.Second)
}

// spoil puts each value in another's place, and changes some.
func spoil(t *testing.T, store *redistest.Server) {
	t.Helper()
	var names, values []string
	for end := time.Now().Add(30 * time.Second); len(names) < 10; time.Sleep(10 * time.Millisecond) { // replicas may not have come back yet
		if time.Now().After(end) {
			t.Fatalf("only %d values are in the store", len(names))
		}
		names, values = nil, nil
		for _, name := range store.Do("KEYS", "*:v") {
			if value := store.Do("GET", name); len(value) == 1 {
				names, values = append(names, name), append(values, value[0])
			}
		}
	}
	for i, name := range names {
		value := []byte(values[(i+1)%len(values)])
		switch i % 4 {
		case 1:
			value = []byte(values[i])
			value[len(value)/2] ^= 1
		case 2:
			value = bytes.Repeat([]byte("x"), i%40)
		}
		store.Do("SET", name, string(value), "PX", "3600000")
	}
}

// waitForStore waits until what is logged last of the store is that it is back.
func waitForStore(t *testing.T, p *process, address string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text := logOf(t, p)
		if strings.LastIndex(text, "the shared store is away") <= strings.LastIndex(text, "the shared store is back") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the store is not back for %s:\n%s", address, linesWith(text, "shared store"))
		}
	}
}

// TestReplicasLeak: neither a token nor a key is in what the store writes, nor in what it is told.
func TestReplicasLeak(t *testing.T) {
	f := newFleet(t, 10, "1s", "--appendonly", "yes", "--save", "3600 1")
	said := f.store.Monitor()
	f.all()
	token := f.github.Secrets()
	client := f.client()
	defer client.CloseIdleConnections()
	f.github.RevokeAll() // they are replaced
	for range 3 {
		for _, owner := range f.owners {
			f.get(client, owner)
		}
	}
	if got := f.store.Do("SAVE"); len(got) != 1 || got[0] != "OK" {
		t.Fatalf("SAVE: %s", got)
	}
	for _, p := range f.proxies {
		p.stop(t) // which writes what is left
	}
	files, monitored := f.store.Files(), said()
	for name, text := range map[string][]byte{"files": files, "MONITOR": monitored} {
		if len(text) < 10_000 || len(token) < 10 {
			t.Errorf("%s: only %d bytes, and %d secrets", name, len(text), len(token))
		}
		if leaks := f.github.Leaks(text); len(leaks) > 0 {
			t.Errorf("%s: %d secrets are in it", name, len(leaks))
		}
		for _, plain := range []string{"ghs_", "PRIVATE KEY", "org-0000", "acme"} {
			if bytes.Contains(text, []byte(plain)) {
				t.Errorf("%s: %q is in it", name, plain)
			}
		}
	}
	f.check(t)
}

// TestReplicasReady: a replica whose store is away is ready, and says so.
func TestReplicasReady(t *testing.T) {
	l := newLoad(t)
	admin := freeport.Address(t)
	text := l.config(t, func(text string) string {
		return text + fmt.Sprintf("\n[admin]\nlisten = %q\n[shared]\nurl = \"redis://127.0.0.1:1\"\n", admin)
	})
	p := l.startWithText(t, "away.toml", text)
	l.trust(t)
	l.run(3)
	l.waitForArrivals(t, 10)
	l.check(t)
	for path, want := range map[string]string{"/readyz": "[!]shared: the store is away for ", "/metrics": "ghapp_proxy_shared_up 0"} {
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			status, body := fetch(t, "http://"+admin+path)
			if status == http.StatusOK && strings.Contains(body, want) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %d %s", path, status, body)
			}
		}
	}
	p.stop(t)
	if n := strings.Count(logOf(t, p), "the shared store is away"); n != 1 {
		t.Errorf("the log says %d times that the store is away", n)
	}
}
