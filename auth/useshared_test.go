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

// TestSharedUseOld: a message counts once, and for a time, also where nobody counts on its replica any more. So do not more replicas
// than a bound.
func TestSharedUseOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newOctets()
		source := auth.New([]*auth.App{newApp("ci-bot", 12345), newApp("other-bot", 67890)}, auth.Options{Transport: &api{}, Shared: store, Governor: governor.New(governor.Default)})
		t.Cleanup(source.Close)
		used := func(app string, id github.InstallationID) int { return usedOf(source.BucketOf(app, id)) }
		tell := func(app string, from, serial uint64, at time.Time, id github.InstallationID) []byte {
			says := source.UseOf(app, from, serial, at, id, 10)
			store.Tell("use", says)
			return says
		}
		first := tell("ci-bot", 7, 1, time.Now(), 111)
		if n, _ := source.Replicas(); n != 2 || used("ci-bot", 111) != 10 {
			t.Errorf("%d replicas, %d points", n, used("ci-bot", 111))
		}
		tell("ci-bot", 7, 2, time.Now().Add(-2*time.Minute), 111)
		tell("ci-bot", 7, 3, time.Now().Add(2*time.Minute), 111)
		if n := used("ci-bot", 111); n != 10 {
			t.Errorf("%d points with those that were told at another time", n)
		}
		ahead := tell("ci-bot", 8, 1, time.Now().Add(50*time.Second), 222)
		for range 4 {
			time.Sleep(20 * time.Second)
			if n, _ := source.Replicas(); n != 1 {
				t.Errorf("%d replicas of whom nothing was heard", n)
			}
			store.Tell("use", first)
			store.Tell("use", ahead)
		}
		if n, m := used("ci-bot", 111), used("ci-bot", 222); n != 0 && n != 10 || m != 0 && m != 10 {
			t.Errorf("%d and %d points where they were told again, want 10 until they end", n, m)
		}
		time.Sleep(time.Minute)
		if _, known := source.Replicas(); known != 0 {
			t.Errorf("%d replicas are remembered for ever", known)
		}
		tell("other-bot", 9, 1, time.Now(), 333)
		tell("ci-bot", 9, 2, time.Now(), 0)
		if a, b, c := used("other-bot", 333), used("ci-bot", 0), used("ci-bot", 333); a != 10 || b != 10 || c != 0 {
			t.Errorf("%d points of another App, %d of the App itself, %d of an App that none of it is about", a, b, c)
		}
		for from := range uint64(auth.MaxPeers + 10) {
			tell("ci-bot", 1000+from, 1, time.Now(), 444)
		}
		if _, known := source.Replicas(); known != auth.MaxPeers {
			t.Errorf("%d replicas are remembered", known)
		}
	})
}

// usedOf is how many points of a bucket are used.
func usedOf(b *governor.Bucket) int {
	for _, u := range b.Stats().Used {
		if u.Limit == governor.Points.String() {
			return u.Used
		}
	}
	return 0
}

// TestSharedUseOfMany: a replica that has used much tells all of it, in messages that are not too long; one that has used nothing says
// every two seconds that it is there, once for all Apps.
func TestSharedUseOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		const installations = 95
		store := newOctets()
		var longest, messages int
		store.told = func(topic string, says []byte) {
			if topic == "use" {
				longest, messages = max(longest, len(says)), messages+1
			}
		}
		var all []*auth.Source
		for range 2 {
			source := auth.New([]*auth.App{newApp("ci-bot", 12345), newApp("other-bot", 67890)}, auth.Options{Transport: &api{}, Shared: store, Governor: governor.New(governor.Default)})
			t.Cleanup(source.Close)
			all = append(all, source)
		}
		ids := []github.InstallationID{0}
		for i := range github.InstallationID(installations) {
			ids = append(ids, 1<<62+i)
		}
		go all[0].ShareUse(ctx)
		for _, id := range ids {
			ticket, err := all[0].BucketOf("ci-bot", id).Admit(ctx, governor.Request{Class: governor.Read})
			if err != nil {
				t.Fatal(err)
			}
			ticket.Done(governor.Answer{Status: 429, Fields: http.Header{"Retry-After": {"3599"}}})
		}
		time.Sleep(time.Second)
		for _, id := range ids {
			if b := all[1].BucketOf("ci-bot", id); usedOf(b) != 1 || b.PausedUntil().IsZero() {
				t.Fatalf("of installation %d the other one knows %d points", id, usedOf(b))
			}
		}
		if most := 4<<10 - len("tuse:"); longest > most {
			t.Errorf("a message has %d bytes, want %d at most", longest, most)
		}
		store.mu.Lock()
		messages = 0
		store.mu.Unlock()
		time.Sleep(time.Minute)
		store.mu.Lock()
		defer store.mu.Unlock()
		if messages < 20 || messages > 30 {
			t.Errorf("%d messages in a minute, want one every two seconds", messages)
		}
	})
}
