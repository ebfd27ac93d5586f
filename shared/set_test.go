//go:build unix

package shared_test

import (
	"fmt"
	"testing"
	"time"

	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"
)

// TestSet: what one replica adds all know, those that come later, too, and when the store comes back that was away.
func TestSet(t *testing.T) {
	server := redistest.Start(t)
	changed := make(chan struct{}, 100)
	one, other := open(t, server.URL(), nil), open(t, server.URL(), nil)
	a, b := one.Set("revoked", nil), other.Set("revoked", func() { changed <- struct{}{} })
	hour := time.Now().Add(time.Hour)
	a.Add(map[string]time.Time{"x": hour, "gone": time.Now().Add(-time.Second), "soon": time.Now().Add(300 * time.Millisecond)})
	if !a.Has("x") || a.Has("y") || a.Has("gone") {
		t.Error("who has added it does not know it at once")
	}
	<-changed
	eventually(t, "the other knows it", func() bool { return b.Has("x") })
	if b.Has("gone") || b.Has("y") {
		t.Error("the other knows what was not added")
	}
	eventually(t, "it ends", func() bool { return !a.Has("soon") && !b.Has("soon") })
	many := make(map[string]time.Time)
	for i := range 1200 {
		many[fmt.Sprint("many-", i)] = hour
	}
	b.Add(many)
	late := open(t, server.URL(), nil).Set("revoked", nil)
	for thing := range many {
		eventually(t, "all know "+thing, func() bool { return a.Has(thing) && late.Has(thing) })
	}
	for _, name := range server.Do("KEYS", "*:[sw]") {
		if ttl := server.Do("PTTL", name)[0]; len(ttl) != len("3600000") {
			t.Errorf("%s lasts for %s ms, want an hour", name, ttl)
		}
	}
	server.Do("FLUSHALL") // and nobody notices
	a.Add(map[string]time.Time{"after": hour})
	eventually(t, "the others know what came after the store was emptied", func() bool { return b.Has("after") && late.Has("after") })
	if another := one.Set("another", nil); another.Has("x") {
		t.Error("it is in another set")
	}

	server.Kill()
	eventually(t, "it is away", func() bool {
		one.Claim(t.Context(), "key", 0)
		other.Claim(t.Context(), "key", 0)
		return one.Stats().Away && other.Stats().Away
	})
	a.Add(map[string]time.Time{"meanwhile": hour})
	if !a.Has("meanwhile") || !b.Has("x") {
		t.Error("it is not known while the store is away")
	}
	server.Run() // without anything in it
	eventually(t, "all know it", func() bool { return b.Has("meanwhile") && late.Has("meanwhile") })
	fresh := open(t, server.URL(), nil).Set("revoked", nil)
	eventually(t, "the store knows all again", func() bool { return fresh.Has("x") && fresh.Has("meanwhile") })
}

// TestSetAfterFlush: what is added first after the store was emptied is seen by who had read as much before.
func TestSetAfterFlush(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil).Set("revoked", nil), open(t, server.URL(), nil).Set("revoked", nil)
	hour := time.Now().Add(time.Hour)
	a.Add(map[string]time.Time{"x": hour})
	eventually(t, "the other knows it", func() bool { return b.Has("x") })
	server.Do("FLUSHALL")
	a.Add(map[string]time.Time{"y": hour})
	eventually(t, "the other knows what comes then", func() bool { return b.Has("y") })
}

// TestSetIsBounded: what ends last is known of what is too much, and the store keeps no more than that.
func TestSetIsBounded(t *testing.T) {
	server := redistest.Start(t)
	a := open(t, server.URL(), nil).Set("revoked", nil)
	soon, later := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	many := make(map[string]time.Time)
	for i := range shared.MaxSet {
		many[fmt.Sprint("many-", i)] = soon
	}
	a.Add(many)
	a.Add(map[string]time.Time{"x": later, "y": later})
	if !a.Has("x") || !a.Has("y") {
		t.Error("who has added what ends last does not know it")
	}
	var name []string
	eventually(t, "the store has all", func() bool {
		name = server.Do("KEYS", "*:s")
		return len(name) == 1 && len(server.Do("ZSCORE", name[0], "y")) == 1
	})
	if n := server.Do("ZCARD", name[0]); fmt.Sprint(n) != fmt.Sprint([]int{shared.MaxSet}) {
		t.Errorf("the store has %s, want %d", n, shared.MaxSet)
	}
	fresh := open(t, server.URL(), nil).Set("revoked", nil)
	eventually(t, "another knows what ends last", func() bool { return fresh.Has("x") && fresh.Has("y") })
}

// TestCount: replicas add to one count.
func TestCount(t *testing.T) {
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	for i, want := range []int64{3, 6, 9} {
		s := a
		if i == 1 {
			s = b
		}
		if got, err := s.Count(t.Context(), map[string]int64{"x": 3, "y": 0}); err != nil || got["x"] != want || got["y"] != 0 {
			t.Errorf("Count = %v, %v, want %d", got, err, want)
		}
	}
	server.Kill()
	if got, err := a.Count(t.Context(), map[string]int64{"x": 1}); err == nil {
		t.Errorf("Count without a store = %v", got)
	}
}
