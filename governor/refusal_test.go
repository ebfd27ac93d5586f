package governor

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience: who has waited for as long as it may is told when to come, which is true.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.WriteWait = 10 * time.Second
		g := New(settings)
		bucket := g.Bucket(false, nil)
		for range 450 {
			answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
		}
		time.Sleep(40 * time.Second)
		for range 450 {
			answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
		}
		start := time.Now()
		_, err := bucket.Admit(t.Context(), Request{Class: Write})
		refused, ok := errors.AsType[*Refusal](err)
		if !ok || refused.Limit != Points || time.Since(start) != 0 || refused.RetryAt.Sub(start).Round(time.Second) > 21*time.Second {
			t.Fatalf("told %+v", refused)
		}
		time.Sleep(time.Until(refused.RetryAt))
		if _, err := bucket.Admit(t.Context(), Request{Class: Write}); err != nil {
			t.Errorf("when it was told: %v", err)
		}
		if s := g.Stats(); s.Refused["points"] != 1 || s.Waited["points"] != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestPatienceEnds: who waits for what only an answer can tell is told when its patience ends, by which limit.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.Concurrent, settings.ReadWait, settings.WriteWait = 1, 5*time.Second, 7*time.Second
		g := New(settings)
		bucket := g.Bucket(false, nil)
		if _, err := bucket.Admit(t.Context(), Request{Class: Read}); err != nil {
			t.Fatal(err)
		}
		for class, want := range map[Class]time.Duration{Read: 5 * time.Second, Query: 5 * time.Second, Write: 7 * time.Second, CreateMutation: 7 * time.Second} {
			start := time.Now()
			_, err := bucket.Admit(t.Context(), Request{Class: class})
			refused, ok := errors.AsType[*Refusal](err)
			if took := time.Since(start); !ok || refused.Limit != Concurrent || took != want || refused.Waited != want || time.Until(refused.RetryAt) != time.Second {
				t.Errorf("%s: told %+v after %s", class, refused, took)
			}
		}
		if s := g.Stats(); s.Refused["concurrent"] != 4 || s.Waited["concurrent"] != 4 || s.Waiting != 24*time.Second {
			t.Errorf("%+v", s)
		}
		if bucket.queue != nil || len(g.held) != 0 {
			t.Error("somebody waits still")
		}
	})
}

// TestWhen: where several limits are used up, the last of them says when to come.
func TestWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.ReadWait, settings.WriteWait = 0, 0
		known := &said{}
		bucket := New(settings).Bucket(false, known)
		comes := func(class Class, limit Limit, want time.Duration) {
			t.Helper()
			_, err := bucket.Admit(t.Context(), Request{Class: class})
			refused, ok := errors.AsType[*Refusal](err)
			if !ok || refused.Limit != limit || time.Until(refused.RetryAt) != want {
				t.Errorf("%s: told %+v, which is in %s; want %s in %s", class, refused, time.Until(refused.RetryAt), limit, want)
			}
		}
		for range writeBurst {
			answered(t, bucket, Request{Class: Write}, Answer{Status: 200})
		}
		comes(Write, WritePause, time.Second)
		for range 900 - 5*writeBurst - 1 {
			answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
		}
		minute := time.Minute + time.Minute/slots
		comes(Write, Points, minute)
		answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
		comes(Read, Points, minute)
		comes(Mutation, WritePause, time.Second)
		pause := Answer{Status: http.StatusForbidden, Fields: http.Header{"Retry-After": {"90"}}}
		answered(t, bucket, Request{Class: Query}, pause)
		comes(Read, RetryAfter, 90*time.Second)
		comes(Mutation, RetryAfter, 90*time.Second)
		known.left.Store(&Left{Limit: 5000, Reset: time.Now().Add(80 * time.Second)})
		comes(Read, RetryAfter, 90*time.Second)
		known.left.Store(&Left{Limit: 5000, Reset: time.Now().Add(100 * time.Second)})
		comes(Read, RetryAfter, 100*time.Second)
		time.Sleep(90 * time.Second)
		comes(Read, Quota, 10*time.Second)
	})
}
