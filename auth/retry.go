package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// maxTries bounds the attempts at one call that may mend itself.
	maxTries = 3
	// firstPause is the time before the second attempt, and doubles with each;
	// jitter takes up to half of it away.
	firstPause = time.Second
	// retryFor is how long after its start a call is tried again.
	retryFor = 10 * time.Second
	// maxWait is the longest time that a rate limit is waited for.
	maxWait = 5 * time.Second

	// refusedFor is how long a refusal is remembered: GitHub is not asked the
	// same again, however many clients want to know.
	refusedFor = 10 * time.Second
	// maxRefusedFor bounds what Retry-After makes of it.
	maxRefusedFor = time.Minute
	maxRefusals   = 10000 // remembered
)

// persist makes the call until it is answered, in so far as that may help.
func (s *Source) persist(ctx context.Context, c apiCall, out any) *Error {
	start := time.Now()
	for tries := 1; ; tries++ {
		err := s.timed(ctx, c, out)
		pause := c.pause(err, tries)
		if pause == 0 || ctx.Err() != nil || time.Since(start)+pause > retryFor {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// pause is how long to wait before the call is made again, 0 if it is not. A
// rate limit that ends soon is waited for once, where only a question is asked.
func (c apiCall) pause(e *Error, tries int) time.Duration {
	switch {
	case e == nil, tries == maxTries:
		return 0
	case e.transient():
		pause := firstPause << (tries - 1)
		return pause - jitter(pause/2)
	case tries == 1 && c.method == http.MethodGet && e.wait <= maxWait:
		return e.wait
	}
	return 0
}

// timed makes the call, and again where GitHub blames our clock and its answer
// put that right.
func (s *Source) timed(ctx context.Context, c apiCall, out any) *Error {
	skew := c.app.clock.skew()
	err := s.authenticate(ctx, c, out)
	if err != nil && err.blamesClock() && c.app.clock.skew() != skew {
		return s.authenticate(ctx, c, out)
	}
	return err
}

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

// remember keeps a refusal that will not change in a moment, filed under key.
func (s *Source) remember(key string, err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		s.refusals.set(key, err, e.holds())
	}
}

// refusal returns what is remembered under key, as it was.
func (s *Source) refusal(key string) error {
	err, _ := s.refusals.get(key)
	return err
}

// holds is how long GitHub will refuse the same, 0 if that cannot be said.
func (e *Error) holds() time.Duration {
	if e.Err == errOtherRepository {
		return refusedFor
	}
	switch e.Status {
	case http.StatusForbidden, http.StatusTooManyRequests:
		return min(max(refusedFor, e.wait), maxRefusedFor)
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity:
		return refusedFor
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
		return min(time.Duration(seconds)*time.Second, maxWindow)
	}
	if number(h, "X-Ratelimit-Remaining") == 0 {
		if wait := time.Unix(number(h, "X-Ratelimit-Reset"), 0).Sub(now); wait > 0 {
			return min(wait, maxWindow)
		}
	}
	if isRateLimit(e.Status, e.Message) {
		return time.Minute
	}
	return 0
}

// doAs is do for a call with an installation's token. One that was revoked is
// replaced: it may be one that nobody else uses.
func (s *Source) doAs(ctx context.Context, c apiCall, inst *installation, narrow *Narrowing, out any) error {
	for attempt := 1; ; attempt++ {
		token, err := s.token(ctx, inst, narrow)
		if err != nil {
			return err
		}
		c.as = Credential{App: inst.app.App, Installation: inst.id, header: token, inst: inst, narrow: narrow}
		err = s.doYoung(ctx, c, out)
		refused, _ := err.(*Error)
		if refused == nil || refused.Status != http.StatusUnauthorized || attempt > 1 || !s.discard(c.as) {
			return err
		}
	}
}

// doYoung is do for a call with an installation's token, which GitHub may refuse
// for some seconds after the mint.
func (s *Source) doYoung(ctx context.Context, c apiCall, out any) error {
	young := c.as.Young()
	for attempt := time.Duration(1); ; attempt++ {
		err := s.do(ctx, c, out)
		refused, _ := err.(*Error)
		if refused == nil || !refused.blamesToken() || !young || attempt > refused.waits() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(attempt * time.Second):
		}
	}
}

// blamesToken reports whether GitHub refused a token that it may not know yet,
// or not with its permissions.
func (e *Error) blamesToken() bool {
	return e.Status == 401 || e.Status == 403 && strings.Contains(e.Message, "not accessible by integration")
}

// waits is how often a refusal of a young token is waited for.
func (e *Error) waits() time.Duration {
	if e.Status == http.StatusUnauthorized {
		return MaxTokenWaits
	}
	return maxGrantWaits
}
