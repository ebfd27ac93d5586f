package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

// A deadline leaves each operation its time, and is seldom set.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		var at time.Time
		sets := 0
		set := func(to time.Time) error { at = to; sets++; return nil }
		const limit = 8 * time.Minute
		for range 1000 {
			if err := d.renew(limit, set); err != nil {
				t.Fatal(err)
			}
			if left := time.Until(at); left < limit || left > limit+limit/8 {
				t.Fatalf("an operation has %v, want %v, or a little more", left, limit)
			}
			time.Sleep(time.Second)
		}
		if sets < 10 || sets > 20 {
			t.Errorf("it was set %d times in 1000 operations", sets)
		}
		if err := d.lift(set); err != nil || !at.IsZero() {
			t.Errorf("it is not lifted: %v, %v", at, err)
		}
		before := sets
		if err := d.lift(set); err != nil || sets != before {
			t.Errorf("it is lifted once more: %v", err)
		}
		if err := d.renew(limit, set); err != nil || time.Until(at) < limit {
			t.Errorf("it does not begin anew: %v", at)
		}
	})
}
