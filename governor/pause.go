package governor

import (
	"net/http"
	"strconv"
	"time"
)

const (
	// firstBlindPause is for how long nothing leaves where GitHub names a secondary limit and no time. Where that was not long
	// enough it is twice as long the next time: docs.github.com "Rate limits for the REST API", "Exceeding the rate limit".
	firstBlindPause = time.Minute
	// maxPause bounds that, and what is believed of Retry-After.
	maxPause = time.Hour
)

// pausedBy is until when GitHub wants nothing after an answer, 0 where it does not say so.
func (b *Bucket) pausedBy(a *Answer, now time.Duration) (until time.Duration) {
	switch pause, blind := a.pause(); {
	case blind:
		return b.blind.next(now)
	case pause > 0:
		return now + pause
	}
	return 0
}

// pause is for how long GitHub wants nothing more; blind says that it wants a pause, and not how long.
func (a *Answer) pause() (pause time.Duration, blind bool) {
	if a.Status != http.StatusForbidden && a.Status != http.StatusTooManyRequests {
		return 0, false
	}
	if after := a.Fields["Retry-After"]; len(after) == 1 {
		if seconds, err := strconv.ParseUint(after[0], 10, 32); err == nil {
			return min(time.Duration(seconds)*time.Second, maxPause), false
		}
	}
	left := a.Fields["X-Ratelimit-Remaining"]
	return 0, a.Secondary || a.Status == http.StatusTooManyRequests && !(len(left) == 1 && left[0] == "0")
}

// blindPause is the last pause whose length GitHub did not say.
type blindPause struct{ length, until time.Duration }

// next is until when nothing leaves now that GitHub has asked for such a pause.
func (p *blindPause) next(now time.Duration) (until time.Duration) {
	switch {
	case now < p.until: // the request left before the pause began
	case now < p.until+p.length: // it was too short
		p.length = min(2*p.length, maxPause)
	default:
		p.length = firstBlindPause
	}
	p.until = now + p.length
	return p.until
}
