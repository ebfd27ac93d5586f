package governor

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// said is what GitHub has said.
type said struct{ left atomic.Pointer[Left] }

func (s *said) Left(c Class) (Left, bool) {
	left := s.left.Load()
	if c == Ask || left == nil {
		return Left{}, false
	}
	return *left, true
}

// TestQuota: where nothing is left of a primary limit, nothing leaves before its reset, and no more than is left is under
// way at once.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := Left{Resource: "core", Limit: 5000, Remaining: 2, Reset: time.Now().Add(time.Hour)}
		known := &said{}
		says := func(change func(*Left)) {
			change(&left)
			next := left
			known.left.Store(&next)
		}
		says(func(*Left) {})
		bucket := New(Default).Bucket(false, known)
		one, err1 := bucket.Admit(t.Context(), Request{Class: Read})
		_, err2 := bucket.Admit(t.Context(), Request{Class: Read})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		third := make(chan error)
		go func() {
			_, err := bucket.Admit(t.Context(), Request{Class: Read})
			third <- err
		}()
		time.Sleep(time.Second)
		says(func(l *Left) { l.Remaining = 0 })
		one.Done(Answer{Status: 200})
		refused, ok := errors.AsType[*Refusal](<-third)
		if !ok || refused.Limit != Quota || refused.Left != left || time.Until(refused.RetryAt).Round(time.Second) != time.Hour-time.Second {
			t.Errorf("told %+v", refused)
		}
		if _, err := bucket.Admit(t.Context(), Request{Class: Ask}); err != nil {
			t.Errorf("what takes of no primary limit: %v", err)
		}
		says(func(l *Left) { l.Reset = time.Now().Add(20 * time.Second) })
		start := time.Now()
		time.AfterFunc(19*time.Second, func() { says(func(l *Left) { l.Remaining = 5000 }) })
		if _, err := bucket.Admit(t.Context(), Request{Class: Read}); err != nil || time.Since(start) != 20*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// TestShare: a client uses up no more of a primary limit than its share. What GitHub does not count is not counted.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := &Left{Resource: "core", Limit: 1000, Remaining: 900, Reset: time.Now().Add(time.Hour)}
		known := &said{}
		bucket := New(Default).Bucket(false, known)
		r := Request{Class: Read, Client: "a", Share: 1}
		answered(t, bucket, r, Answer{Status: 200}) // before anything is known
		known.left.Store(left)
		for range 20 {
			answered(t, bucket, r, Answer{Status: 304})
			answered(t, bucket, r, Answer{}) // there was none
		}
		for range 9 {
			answered(t, bucket, r, Answer{Status: 200})
		}
		_, err := bucket.Admit(t.Context(), r)
		refused, ok := errors.AsType[*Refusal](err)
		if !ok || refused.Limit != Share || refused.Left.Limit != 10 || refused.Left.Remaining != 0 || !refused.RetryAt.Equal(left.Reset) {
			t.Fatalf("told %+v", refused)
		}
		answered(t, bucket, Request{Class: Read, Client: "b", Share: 1}, Answer{Status: 200})
		answered(t, bucket, Request{Class: Query, Client: "a", Share: 1}, Answer{Status: 200}) // of another limit
		if _, err := bucket.Admit(t.Context(), r); err == nil {
			t.Error("it has its share again, when another has come")
		}
		answered(t, bucket, Request{Class: Read, Client: "a", Share: 0}, Answer{Status: 200})
		answered(t, bucket, Request{Class: Read, Client: "all", Share: 100}, Answer{Status: 200})
		if bucket.shares["all"] != nil {
			t.Error("it is counted what one uses who may use all")
		}
		known.left.Store(&Left{Resource: "core", Limit: 1000, Remaining: 900, Reset: left.Reset.Add(time.Hour)})
		answered(t, bucket, r, Answer{Status: 200})
	})
}
