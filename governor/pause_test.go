package governor

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestRetryAfter: after GitHub's Retry-After nothing leaves before; what cannot wait as long is told when.
func TestRetryAfter(t *testing.T) {
	after := func(s string) Answer {
		return Answer{Status: http.StatusForbidden, Fields: http.Header{"Retry-After": {s}}}
	}
	for _, test := range []struct {
		name   string
		answer Answer
		want   time.Duration
	}{
		{"some seconds", after("20"), 20 * time.Second},
		{"longer than anybody waits", after("90"), 90 * time.Second},
		{"longer than is believed", after("999999"), time.Hour},
		{"no number", after("soon"), 0},
		{"a 403 for another reason", Answer{Status: 403}, 0},
		{"a secondary limit and no time", Answer{Status: 403, Secondary: true}, time.Minute},
		{"a 429 and no time", Answer{Status: 429}, time.Minute},
		{"a 429 for the primary limit", Answer{Status: 429, Fields: http.Header{"X-Ratelimit-Remaining": {"0"}}}, 0},
		{"a 429 where something is left", Answer{Status: 429, Fields: http.Header{"X-Ratelimit-Remaining": {"5"}}}, time.Minute},
		{"a 429 and no number", Answer{Status: 429, Fields: http.Header{"Retry-After": {"soon"}}}, time.Minute},
		{"two times", Answer{Status: 403, Fields: http.Header{"Retry-After": {"20", "30"}}}, 0},
		{"now", after("0"), 0},
		{"a 503", Answer{Status: 503, Fields: http.Header{"Retry-After": {"20"}}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := New(Default).Bucket(false, nil)
				answered(t, bucket, Request{Class: Read}, test.answer)
				start := time.Now()
				if until := bucket.PausedUntil(); test.want > 0 && until.Sub(start) != test.want || until.IsZero() != (test.want == 0) {
					t.Errorf("paused until %v", until.Sub(start))
				}
				for _, class := range []Class{Read, Write, Query, Ask} {
					_, err := bucket.Admit(t.Context(), Request{Class: class})
					var refused *Refusal
					switch took := time.Since(start); {
					case test.want <= DefaultWait:
						if err != nil || took < test.want || took > test.want+time.Second {
							t.Errorf("%v after %s", err, took)
						}
					case !errors.As(err, &refused) || refused.Limit != RetryAfter || took > 0:
						t.Errorf("%v after %s", err, took)
					case refused.RetryAt.Sub(start) != test.want:
						t.Errorf("told to come in %s", refused.RetryAt.Sub(start))
					}
				}
			})
		})
	}
}

// TestPauseTurnsAway: who waits when GitHub says to wait for longer than that is told at once.
func TestPauseTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.Concurrent = 1
		bucket := New(settings).Bucket(false, nil)
		ticket, err := bucket.Admit(t.Context(), Request{Class: Read})
		if err != nil {
			t.Fatal(err)
		}
		told := make(chan error, 20)
		for n := range 20 {
			go func() {
				_, err := bucket.Admit(t.Context(), Request{Class: Read, Client: strconv.Itoa(n % 3)})
				told <- err
			}()
		}
		time.Sleep(time.Second)
		ticket.Done(Answer{Status: 429, Fields: http.Header{"Retry-After": {"120"}}})
		synctest.Wait()
		if len(told) != 20 || bucket.queue != nil {
			t.Fatalf("%d were told", len(told))
		}
		for range 20 {
			if refused, ok := errors.AsType[*Refusal](<-told); !ok || time.Until(refused.RetryAt) != 2*time.Minute || refused.Waited != time.Second {
				t.Errorf("told %+v", refused)
			}
		}
	})
}

// TestLongestPause: a shorter pause does not end a longer one.
func TestLongestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := New(Default).Bucket(false, nil)
		var tickets [4]Ticket
		for i := range tickets {
			var err error
			if tickets[i], err = bucket.Admit(t.Context(), Request{Class: Read}); err != nil {
				t.Fatal(err)
			}
		}
		for i, test := range []struct {
			after string
			want  time.Duration
		}{{"90", 90}, {"20", 90}, {"", 90}, {"100", 100}} {
			tickets[i].Done(Answer{Status: 429, Fields: http.Header{"Retry-After": {test.after}}})
			if got := time.Until(bucket.PausedUntil()); got != test.want*time.Second {
				t.Errorf("after one of %s: %s", test.after, got)
			}
		}
	})
}

// TestBlindPauses: where GitHub does not say for how long, each pause that was not long enough makes the next twice as long, up to
// an hour. What was under way when it began does not, nor does what comes long after.
func TestBlindPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := New(Default).Bucket(false, nil)
		blind := Answer{Status: http.StatusForbidden, Secondary: true}
		pause := func() time.Duration { return time.Until(bucket.PausedUntil()) }
		late, err := bucket.Admit(t.Context(), Request{Class: Read})
		if err != nil {
			t.Fatal(err)
		}
		answered(t, bucket, Request{Class: Read}, blind)
		time.Sleep(10 * time.Second)
		late.Done(blind)
		if got := pause(); got != time.Minute {
			t.Errorf("after one that was under way: %s", got)
		}
		for _, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
			time.Sleep(pause())
			answered(t, bucket, Request{Class: Read}, blind)
			if got := pause(); got != want*time.Minute {
				t.Errorf("a pause of %s, want %d minutes", got, want)
			}
		}
		time.Sleep(pause() + time.Hour - time.Second)
		answered(t, bucket, Request{Class: Read}, blind)
		if got := pause(); got != time.Hour {
			t.Errorf("less than an hour after one of an hour: %s", got)
		}
		time.Sleep(pause() + time.Hour)
		answered(t, bucket, Request{Class: Read}, blind)
		if got := pause(); got != time.Minute {
			t.Errorf("an hour after one of an hour: %s", got)
		}
	})
}
