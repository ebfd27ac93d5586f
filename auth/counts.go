package auth

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// outcome is what became of a call to GitHub.
type outcome uint8

const (
	outcomeOK          outcome = iota
	outcomeNotFound            // a 404: for a look-up, an answer
	outcomeRateLimited         //
	outcomeRefused             // any other 4xx
	outcomeServerError         // 5xx, and what is not understood
	outcomeUnreachable         // no answer
	outcomeUnsigned            // no key could sign

	outcomes = iota
)

// outcomeNames are what outcomes are called in metrics.
var outcomeNames = [outcomes]string{"ok", "not_found", "rate_limited", "refused", "server_error", "unreachable", "unsigned"}

func outcomeOf(e *Error) outcome {
	switch {
	case e == nil:
		return outcomeOK
	case e.wait > 0:
		return outcomeRateLimited
	case e.Status == http.StatusNotFound:
		return outcomeNotFound
	case e.Status >= 400 && e.Status < 500:
		return outcomeRefused
	case e.network:
		return outcomeUnreachable
	case errors.As(e.Err, new(*SigningError)):
		return outcomeUnsigned
	}
	return outcomeServerError
}

// counts are what an App has asked GitHub since the start, and how it went. The zero
// value has none. It is safe for concurrent use.
type counts struct {
	mints, lookups, retries [outcomes]atomic.Uint64
	heals                   [len(complaintNames)]atomic.Uint64
}

// complaintNames are what complaints are called in metrics, by bit.
var complaintNames = [...]string{"key", "clock", "token", "grant", "sight"}

// count counts a call that has ended.
func (c *counts) count(method string, e *Error) {
	if method == http.MethodPost { // nothing else is posted
		c.mints[outcomeOf(e)].Add(1)
		return
	}
	c.lookups[outcomeOf(e)].Add(1)
}

// healed counts that a request is sent again.
func (c *counts) healed(about complaints) {
	for bit := range complaintNames {
		if about&(1<<bit) != 0 {
			c.heals[bit].Add(1)
		}
	}
}

// standing is whether GitHub takes an App for what it says it is. The zero value was
// not asked. It is safe for concurrent use.
type standing struct{ last atomic.Pointer[report] }

// note learns how the App stands from what became of a call as the App. Most errors
// are about what was asked: that GitHub says so to the App will do.
func (s *standing) note(err error) {
	e, _ := errors.AsType[*Error](err)
	switch {
	case err != nil && e == nil:
		return
	case e != nil && (e.Status == http.StatusUnauthorized || e.Status == http.StatusNotFound && isUnknownApp(e.Message) || outcomeOf(e) == outcomeUnsigned):
		s.last.Store(&report{time.Now(), e})
	case e == nil || e.Status >= 400 && e.Status < 500:
		s.last.Store(&report{at: time.Now()})
	}
}
