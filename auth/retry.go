package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
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
		if err == nil || !err.transient() || tries == maxTries || ctx.Err() != nil {
			return err
		}
		pause := firstPause << (tries - 1)
		pause -= jitter(pause / 2)
		if time.Since(start)+pause > retryFor {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// timed makes the call, and again where GitHub blames our clock and its answer
// put that right.
func (s *Source) timed(ctx context.Context, c apiCall, out any) *Error {
	skew := c.app.clock.skew()
	err := s.try(ctx, c, out)
	if err != nil && err.blamesClock() && c.app.clock.skew() != skew {
		return s.try(ctx, c, out)
	}
	return err
}

// transient reports whether the same call may succeed in a moment: GitHub has
// trouble, or the network.
func (e *Error) transient() bool {
	var cert *tls.CertificateVerificationError
	return e.Status >= 500 || e.network && !errors.As(e.Err, &cert)
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
	switch e.Status {
	case http.StatusForbidden, http.StatusTooManyRequests:
		return min(max(refusedFor, e.retryAfter), maxRefusedFor)
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity:
		return refusedFor
	}
	return 0
}

// retryAfter reads the seconds of a Retry-After, the form that GitHub sends
// (docs.github.com "Rate limits for the REST API"); 0 if there are none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, int(maxRefusedFor/time.Second))) * time.Second
}
