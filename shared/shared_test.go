//go:build unix

package shared_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"
)

// value is one of a generation.
func value(generation uint64, text string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, generation), text...)
}

// open is a replica's store. Its patience is such that a slow machine does not end it.
func open(t testing.TB, url string, log *slog.Logger) *shared.Store {
	t.Helper()
	s, err := shared.Open(shared.Options{URL: url, Patience: 5 * time.Second, Timeout: 10 * time.Second, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// eventually fails the test if something does not become true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come to it that %s", what)
		}
	}
}

// TestOneMakesIt: of many replicas one makes what all want, and all get it.
func TestOneMakesIt(t *testing.T) {
	server := redistest.Start(t)
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		s := open(t, server.URL(), nil)
		for range 5 {
			wg.Go(func() {
				got, done := s.Claim(t.Context(), "key", 0)
				if done != nil {
					made.Add(1)
					time.Sleep(100 * time.Millisecond)
					done(value(1, "it"), time.Minute)
				} else if string(got[8:]) != "it" {
					t.Errorf("Claim = %q", got)
				}
			})
		}
	}
	wg.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("it was made %d times", n)
	}
}

// TestGenerations: what is of the generation that it should not be is made anew, and once.
func TestGenerations(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	_, done := a.Claim(t.Context(), "key", 0)
	done(value(1, "one"), time.Minute)
	if got, _ := b.Claim(t.Context(), "key", 2); string(got) != string(value(1, "one")) {
		t.Fatalf("Claim besides another = %q", got)
	}
	if got := b.Get(t.Context(), "other"); got != nil {
		t.Errorf("Get of another key = %q", got)
	}
	got, done := a.Claim(t.Context(), "key", 1)
	if got != nil || done == nil {
		t.Fatalf("Claim besides the one that is there = %q, with a lease: %t", got, done != nil)
	}
	waited := make(chan []byte)
	go func() {
		got, _ := b.Claim(t.Context(), "key", 1)
		waited <- got
	}()
	done(value(2, "two"), time.Minute)
	if got := <-waited; string(got) != string(value(2, "two")) {
		t.Errorf("who waited got %q", got)
	}
	b.Delete("key", 1) // which is not there any more
	b.Delete("other", 1)
	b.Offer("key", value(3, "three"), time.Minute)
	b.Put("flag", value(4, ""), time.Minute)
	eventually(t, "all is written", func() bool { return a.Get(t.Context(), "flag") != nil })
	if got := a.Get(t.Context(), "key"); string(got) != string(value(2, "two")) {
		t.Errorf("Get = %q", got)
	}
	b.Delete("key", 2)
	eventually(t, "it is removed", func() bool { return a.Get(t.Context(), "key") == nil })
	b.Offer("key", value(3, "three"), time.Minute)
	eventually(t, "it is filed", func() bool { return a.Get(t.Context(), "key") != nil })
}

// TestFencing: a lease that has ended files nothing over what another one has made since.
func TestFencing(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	_, late := a.Claim(t.Context(), "key", 0)
	server.Do("FLUSHALL") // its lease as well
	_, done := b.Claim(t.Context(), "key", 0)
	if late == nil || done == nil {
		t.Fatal("not both have got a lease")
	}
	done(value(2, "of b"), time.Minute)
	eventually(t, "b's is filed", func() bool { return b.Get(t.Context(), "key") != nil })
	late(value(1, "of a"), time.Minute)
	a.Put("flag", value(4, ""), time.Minute)
	eventually(t, "all is written", func() bool { return a.Get(t.Context(), "flag") != nil })
	a.Close() // which writes all
	if got := b.Get(t.Context(), "key"); string(got) != string(value(2, "of b")) {
		t.Errorf("after a late one: %q", got)
	}
}

// TestGivenUp: where it could not be made, another one tries.
func TestGivenUp(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	_, done := a.Claim(t.Context(), "key", 0)
	leased := make(chan bool)
	go func() {
		_, done := b.Claim(t.Context(), "key", 0)
		leased <- done != nil
	}()
	time.Sleep(20 * time.Millisecond)
	done(nil, 0)
	if !<-leased {
		t.Error("who waited has got no lease")
	}
}

// TestHolderLives: a lease does not end while its holder works, and does soon when it has died.
func TestHolderLives(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	if _, done := a.Claim(t.Context(), "key", 0); done == nil {
		t.Fatal("no lease")
	}
	short, cancel := context.WithTimeout(t.Context(), 4*time.Second) // longer than a lease
	defer cancel()
	if got, done := b.Claim(short, "key", 0); got != nil || done != nil {
		t.Errorf("Claim of what another one makes = %q, with a lease: %t", got, done != nil)
	}
	a.Close() // as a process that has died, it says nothing of its leases any more
	begun := time.Now()
	if _, done := b.Claim(t.Context(), "key", 0); done == nil {
		t.Errorf("no lease after %v", time.Since(begun))
	}
}

// TestReplace: what is refused to all is replaced once.
func TestReplace(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	file := func(generation uint64) {
		a.Put("key", value(generation, "x"), time.Minute)
		eventually(t, "it is filed", func() bool { return string(b.Get(t.Context(), "key")) == string(value(generation, "x")) })
	}
	file(1)
	for i, s := range []*shared.Store{a, b} {
		if may, ok := s.Replace(t.Context(), "key", 1, time.Minute); !may || !ok {
			t.Errorf("Replace by %d = %t, %t", i, may, ok)
		}
	}
	if may, ok := b.Replace(t.Context(), "key", 7, time.Minute); may || !ok {
		t.Errorf("Replace of what is not there, so soon = %t, %t", may, ok)
	}
	file(2)
	if may, ok := b.Replace(t.Context(), "key", 1, time.Minute); !may || !ok {
		t.Errorf("Replace of what another one has replaced = %t, %t", may, ok)
	}
	if may, ok := b.Replace(t.Context(), "key", 2, time.Minute); may || !ok {
		t.Errorf("Replace, again = %t, %t", may, ok)
	}
	if b.Get(t.Context(), "key") == nil {
		t.Error("it was removed all the same")
	}
}

// TestTell: all are told.
func TestTell(t *testing.T) {
	server := redistest.Start(t)
	heard := make(chan string, 100)
	stores := []*shared.Store{open(t, server.URL(), nil), open(t, server.URL(), nil)}
	for _, s := range stores {
		s.Hear("topic", func(says []byte) { heard <- string(says) })
	}
	for range stores {
		eventually(t, "it is heard", func() bool {
			stores[0].Tell("other", []byte("no"))
			stores[0].Tell("topic", []byte("a:b"))
			select {
			case got := <-heard:
				return got == "a:b"
			case <-time.After(50 * time.Millisecond):
				return false
			}
		})
	}
}

// TestAway: who asks a store that is not there, or does not answer, is told so at once; it is
// logged once, and what is filed when it is back is there.
func TestAway(t *testing.T) {
	for name, end := range map[string]func(*redistest.Server){"killed": (*redistest.Server).Kill, "stopped": (*redistest.Server).Stop} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			var log lockedBuffer
			s, err := shared.Open(shared.Options{URL: server.URL(), Patience: 500 * time.Millisecond, Timeout: time.Second, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			back := make(chan struct{}, 10)
			s.Back(func() { back <- struct{}{} })
			_, lease := s.Claim(t.Context(), "held", 0)
			if lease == nil {
				t.Fatal("no lease")
			}
			end(server)
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if got, done := s.Claim(t.Context(), "key", 0); got != nil || done != nil {
						t.Errorf("Claim = %q, with a lease: %t", got, done != nil)
					}
				})
			}
			wg.Wait()
			if may, ok := s.Replace(t.Context(), "key", 1, time.Minute); may && ok || ok {
				t.Errorf("Replace = %t, %t", may, ok)
			}
			lease(value(1, "x"), time.Minute) // nobody can be told
			eventually(t, "it counts as away", func() bool { st := s.Stats(); return st.Away && st.Fault != nil && st.Lost > 0 })
			if name == "killed" {
				server.Run()
			} else {
				server.Continue()
			}
			<-back
			eventually(t, "there is a lease", func() bool {
				got, done := s.Claim(t.Context(), "key", 0)
				if done != nil {
					done(value(1, "x"), time.Minute)
				}
				return got != nil
			})
			if n := strings.Count(log.String(), "is away"); n != 1 || strings.Count(log.String(), "is back") != 1 {
				t.Errorf("the log says it %d times:\n%s", n, log.String())
			}
		})
	}
}

// TestPassword: with a password and TLS, and not without.
func TestPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "canary-of-the-password")
	right := open(t, strings.Replace(server.URL(), "redis://", "redis://:canary-of-the-password@", 1), nil)
	if err := right.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	var log lockedBuffer
	wrong := open(t, strings.Replace(server.URL(), "redis://", "redis://:canary-that-is-wrong@", 1), slog.New(slog.NewTextHandler(&log, nil)))
	if err := wrong.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("with a wrong password: %v", err)
	}
	for range 5 {
		if got, done := wrong.Claim(t.Context(), "key", 0); got != nil || done != nil {
			t.Errorf("Claim = %q, %t", got, done != nil)
		}
	}
	if text := log.String(); !strings.Contains(text, "WRONGPASS") || strings.Contains(text, "canary") {
		t.Errorf("the log: %s", text)
	}
}

// TestURLs: what is no URL of a store is an error that does not quote it.
func TestURLs(t *testing.T) {
	for url, good := range map[string]bool{
		"redis://h":                               true,
		"redis://u:p@h:1/3":                       true,
		"rediss://h:6380":                         true,
		"unix:///run/valkey.sock":                 true,
		"rediss://h:1?master_name=m&addr=i:1":     true,
		"redis://h:1?cluster=true&addr=i:1":       true,
		"redis://h:1?cluster=true":                true,
		"redis://h:1?addr=i:1":                    false,
		"rediss://u:canary@h?skip_verify=true":    false,
		"http://u:canary@h":                       false,
		"redi://u:canary@h":                       false,
		"redis://":                                false,
		"canary":                                  false,
		"":                                        false,
		"redis://u:canary@h:x":                    false,
		"redis://u:canary@h/db":                   false,
		"redis://u:canary@h?unknown=canary":       false,
		"redis://u:canary@h?dial_timeout=canary":  false,
		"redis://u:canary@h?cluster=true&foo=bar": false,
	} {
		if err := shared.CheckURL(url); (err == nil) != good || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("CheckURL(%q) = %v", url, err)
		}
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
