package auth

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	// maxTries bounds the attempts at one call that may mend itself.
	maxTries = 3
	// firstPause is the time before the second attempt, and doubles with each;
	// jitter takes up to half of it away.
	firstPause = time.Second
	// retryTimeout is how long after its start a call is tried again.
	retryTimeout = 10 * time.Second
	// maxWait is the longest time that a rate limit is waited for.
	maxWait = 5 * time.Second
)

// transient reports whether the same call may succeed in a moment: GitHub has
// trouble, or the network.
func (e *Error) transient() bool {
	var (
		cert      *tls.CertificateVerificationError
		permanent interface{ Permanent() bool } // as a proxy's refusal
	)
	switch {
	case e.Status >= 500:
		return true
	case !e.network, errors.As(e.Err, &cert):
		return false
	}
	return !errors.As(e.Err, &permanent) || !permanent.Permanent()
}

// cacheFor is how long GitHub will refuse the same, 0 if that cannot be said.
func (e *Error) cacheFor() time.Duration {
	if e.lasting {
		return refusalTTL
	}
	switch e.Status {
	case http.StatusForbidden, http.StatusTooManyRequests:
		return min(max(refusalTTL, e.wait), maxRefusalTTL)
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity:
		return refusalTTL
	}
	return 0
}

// rateLimited is for how long a rate limit lets us ask nothing, 0 if it was
// none: docs.github.com "Rate limits for the REST API", "Exceeding the rate
// limit". now is GitHub's time.
func (e *Error) rateLimited(h http.Header, now time.Time) time.Duration {
	if e.Status != http.StatusForbidden && e.Status != http.StatusTooManyRequests {
		return 0
	}
	if seconds := number(h, "Retry-After"); seconds > 0 {
		return min(time.Duration(seconds)*time.Second, maxReset)
	}
	if number(h, "X-Ratelimit-Remaining") == 0 {
		if wait := time.Unix(number(h, "X-Ratelimit-Reset"), 0).Sub(now); wait > 0 {
			return min(wait, maxReset)
		}
	}
	if isRateLimit(e.Status, e.Message) {
		return time.Minute
	}
	return 0
}

// jitter is a random duration below d, 0 if that is not positive.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
