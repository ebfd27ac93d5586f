package auth_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/governor"
)

// governed are replicas with Governors, and the bucket of acme at each, that tell each other what they use until the test ends.
func governed(t *testing.T, store *octets, n int, s governor.Settings) (buckets []*governor.Bucket) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	for range n {
		app := newApp("ci-bot", 12345)
		app.Installations = map[string]github.InstallationID{"acme": 111}
		source := auth.New([]*auth.App{app}, auth.Options{Transport: &api{}, Shared: store, Governor: governor.New(s)})
		t.Cleanup(source.Close)
		cred, err := source.Token(ctx, "github.com", auth.Want{Owner: owner("acme")})
		if err != nil {
			t.Fatal(err)
		}
		buckets = append(buckets, source.Bucket(&cred))
		go source.ShareUse(ctx)
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(3 * time.Second) // they know each other
	return buckets
}

// passing are how many requests leave by buckets in a time, where all want far more.
func passing(t *testing.T, d time.Duration, buckets ...*governor.Bucket) (n int) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, b := range buckets {
			for range 10 {
				if ticket, err := b.Admit(t.Context(), governor.Request{Class: governor.Read}); err == nil {
					ticket.Done(governor.Answer{Status: 200})
					n++
				}
			}
		}
	}
	return n
}

// TestSharedUse: what replicas let leave together is what GitHub allows; where they cannot tell each other, it is what it allows each.
func TestSharedUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 300
		settings := governor.Default
		settings.Limits.Points, settings.ReadWait = limit, 0
		store := newOctets()
		buckets := governed(t, store, 3, settings)
		if n := passing(t, 50*time.Second, buckets...); n < limit*9/10 || n > limit*11/10 {
			t.Errorf("%d requests left within a minute, want about %d", n, limit)
		}
		time.Sleep(2 * time.Minute)
		if n := passing(t, 50*time.Second, buckets[0]); n < limit*9/10 || n > limit {
			t.Errorf("%d requests left at one of them, want %d", n, limit)
		}
		time.Sleep(2 * time.Minute)
		store.isAway(true)
		time.Sleep(15 * time.Second)
		if n := passing(t, 30*time.Second, buckets...); n != 3*limit {
			t.Errorf("%d requests left where nobody can tell, want %d", n, 3*limit)
		}
		store.isAway(false)
		time.Sleep(2 * time.Minute)
		if n := passing(t, 50*time.Second, buckets...); n < limit*9/10 || n > limit*11/10 {
			t.Errorf("%d requests left after that, want about %d", n, limit)
		}
	})
}

// TestSharedPause: what GitHub says to one replica, all do.
func TestSharedPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buckets := governed(t, newOctets(), 2, governor.Default)
		ticket, err := buckets[0].Admit(t.Context(), governor.Request{Class: governor.Read})
		if err != nil {
			t.Fatal(err)
		}
		ticket.Done(governor.Answer{Status: http.StatusForbidden, Fields: http.Header{"Retry-After": {"300"}}})
		time.Sleep(time.Second)
		if until := time.Until(buckets[1].PausedUntil()); until < 4*time.Minute || until > 5*time.Minute {
			t.Errorf("the other one waits for %s, want five minutes", until)
		}
	})
}

// TestSharedUseLies: whoever writes the store can neither make up what is used, nor tell it twice, nor make replicas up.
func TestSharedUseLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := governor.Default
		settings.Limits.Points, settings.ReadWait = 1000, 0
		store := newOctets()
		var told [][]byte
		store.told = func(topic string, says []byte) {
			if topic == "use" {
				told = append(told, bytes.Clone(says))
			}
		}
		buckets := governed(t, store, 2, settings)
		passing(t, time.Second, buckets[0])
		time.Sleep(2 * time.Second)
		used := func() int { return buckets[1].Stats().Used[0].Used }
		store.mu.Lock()
		all := told
		store.mu.Unlock()
		before := used()
		if before < 100 || len(all) < 3 {
			t.Fatalf("the other one knows of %d points, by %d messages", before, len(all))
		}
		for _, says := range all {
			store.Tell("use", says)
			for i := range says {
				changed := bytes.Clone(says)
				changed[i] ^= 1
				store.Tell("use", changed)
			}
		}
		for _, says := range [][]byte{nil, {1}, bytes.Repeat([]byte("x"), 100)} {
			store.Tell("use", says)
		}
		if got := used(); got != before {
			t.Errorf("%d points after lies, want %d", got, before)
		}
		late := governed(t, store, 1, settings)[0]
		time.Sleep(2 * time.Minute)
		for _, says := range all {
			store.Tell("use", says)
		}
		if s := late.Stats(); len(s.Used) > 0 {
			t.Errorf("one that came later believes what is old: %v", s.Used)
		}
	})
}
