package proxy

import (
	"context"
	"time"

	"ghapp-proxy/panics"

	"golang.org/x/time/rate"
)

// Counter has counts that replicas of the proxy add to.
type Counter interface {
	// Count adds to counts, and returns what they come to. An error means that nobody can tell.
	Count(ctx context.Context, add map[string]int64) (map[string]int64, error)
}

// shareEvery is how often replicas tell each other what clients have used. What one uses of several at once in that
// time nobody knows.
const shareEvery = time.Second

// ShareLimits counts the requests a minute and the look-ups of clients together with those of other replicas, until ctx ends: what a
// client has used elsewhere is taken from what is left to it here. Nobody waits for that, so that it can have more than its
// limits for a moment.
func (p *Proxy) ShareLimits(ctx context.Context, counter Counter) {
	defer panics.Log(p.opts.Log, "limits of clients are not shared any more")
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			shareLimits(ctx, counter, p.current.Load().callers, time.Now())
		case <-ctx.Done():
			return
		}
	}
}

// limit is one of a client's, and what was used of it.
type limit struct {
	tally   *tally
	limiter *rate.Limiter
	most    int // in a minute
	taken   int64
}

// shareLimits does so once.
func shareLimits(ctx context.Context, counter Counter, callers map[string]caller, now time.Time) {
	add, of := make(map[string]int64), make(map[string]limit)
	for name, who := range callers {
		by := who.usage.bounds()
		for kind, l := range map[string]limit{
			"pace":   {&who.usage.paced, by.pace, by.RequestsPerMinute, 0},
			"asking": {&who.usage.looked, by.asking, by.LookupsPerMinute, 0},
		} {
			if l.limiter == nil || !l.tally.follow(now) {
				continue
			}
			key := "limit|" + kind + "|" + name
			l.taken = l.tally.taken.Swap(0)
			add[key], of[key] = l.taken, l
		}
	}
	sums, err := counter.Count(ctx, add)
	for key, l := range of {
		if sum, ok := sums[key]; ok && err == nil {
			l.settle(sum, now)
		} else { // told later, but no more than a minute's worth
			l.tally.taken.Add(min(l.taken, int64(l.most)))
		}
	}
}

// settle takes what others have used since it was asked last. What was used before somebody here began is over.
func (l *limit) settle(sum int64, now time.Time) {
	others := sum - l.tally.all - l.taken
	known := !l.tally.told.IsZero() && now.Sub(l.tally.told) < shareFor
	l.tally.all, l.tally.told = sum, now
	if !known {
		return
	}
	most := float64(l.most)
	for left := min(others, int64(l.most)); left > 0 && l.limiter.TokensAt(now) > -most; {
		n := min(left, int64(l.limiter.Burst()))
		l.limiter.ReserveN(now, int(n))
		left -= n
	}
}
