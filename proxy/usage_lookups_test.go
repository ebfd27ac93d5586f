package proxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/policy"
)

// TestLookupsWait: what exceeds the rate waits its turn.
func TestLookupsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsage("agent")
		u.bound(policy.Limits{LookupsPerMinute: 60})
		start := time.Now()
		var asked, refused atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				err := u.ask(t.Context())
				limited, ok := err.(*answer.Refusal)
				switch {
				case err == nil && time.Since(start) <= maxLookUpWait:
					asked.Add(1)
				case ok && limited.Status == 429 && time.Since(start) == 0:
					refused.Add(1)
				default:
					t.Errorf("a look-up: %v after %v", err, time.Since(start))
				}
			})
		}
		wg.Wait()
		if asked.Load() != 70 || refused.Load() != 30 {
			t.Errorf("of 100 look-ups at once %d were made and %d refused, want 60 at once, 10 later and 30", asked.Load(), refused.Load())
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.Sleep(time.Second - time.Millisecond)
		time.AfterFunc(time.Millisecond/2, cancel)
		start = time.Now()
		if err := u.ask(ctx); !errors.Is(err, context.Canceled) || time.Since(start) != time.Millisecond/2 {
			t.Errorf("a look-up for somebody who leaves: %v after %v", err, time.Since(start))
		}
	})
}
