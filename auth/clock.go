package auth

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxSkew bounds the difference that is believed. Beyond it somebody has
	// to set a clock: certificates and logs are wrong as well.
	maxSkew = 24 * time.Hour
	// minSkew is what a difference must exceed: Date has whole seconds, and an
	// answer takes its time.
	minSkew = 2 * time.Second
	// jwtSkew is how far the offset may move before JWTs are signed anew, and
	// the difference is worth a line.
	jwtSkew = 5 * time.Second
	// dateEvery is how often the Date of ordinary answers is looked at.
	dateEvery = time.Second
)

// clock tells the time of one GitHub instance. It is safe for concurrent use.
type clock struct {
	host string
	log  *slog.Logger

	offset atomic.Int64 // of the instance's clock to ours, in nanoseconds
	warned atomic.Int64 // the offset that was logged last
	looked atomic.Int64 // when an ordinary answer's Date was looked at, in Unix nanoseconds
}

// now is the time at the instance: wall time, for the monotonic clock stops
// while a laptop sleeps.
func (c *clock) now() time.Time { return time.Now().Round(0).Add(c.skew()) }

func (c *clock) skew() time.Duration { return time.Duration(c.offset.Load()) }

// observe learns from the Date (RFC 9110, section 6.6.1) of an answer that has
// just arrived. One that comes from a cache (RFC 9111, section 5.1: Age) was
// dated earlier, and says nothing.
func (c *clock) observe(date, age string) {
	if date == "" || age != "" {
		return
	}
	theirs, err := http.ParseTime(date)
	if err != nil {
		return
	}
	// Date is cut to seconds: on average half a second has passed.
	offset := time.Until(theirs.Add(time.Second / 2)).Round(time.Second)
	if offset.Abs() > maxSkew {
		return
	}
	if offset.Abs() <= minSkew {
		offset = 0
	}
	old := c.offset.Load()
	if (offset-time.Duration(old)).Abs() > minSkew && c.offset.CompareAndSwap(old, int64(offset)) {
		c.tell(offset)
	}
}

// tell logs an offset that differs from the one logged before.
func (c *clock) tell(offset time.Duration) {
	last := c.warned.Load()
	if (offset-time.Duration(last)).Abs() <= jwtSkew || !c.warned.CompareAndSwap(last, int64(offset)) {
		return
	}
	if offset == 0 {
		c.log.Info("the clock agrees with GitHub's again", "host", c.host)
		return
	}
	c.log.Warn("the clock differs from GitHub's, which is made up for: set it", "host", c.host, "GitHub is ahead by", offset)
}

// ObserveDate tells the Source the Date and Age fields of an answer that has
// just arrived from a GitHub instance, "" for none, so that JWTs are dated by
// GitHub's clock. It allocates nothing, and may be called for every answer.
func (s *Source) ObserveDate(host, date, age string) {
	c := s.clocks[host]
	if c == nil {
		return
	}
	now, last := time.Now().UnixNano(), c.looked.Load()
	if since := now - last; 0 <= since && since < int64(dateEvery) || !c.looked.CompareAndSwap(last, now) {
		return
	}
	c.observe(date, age)
}

// clockComplaints are parts of the messages by which GitHub refuses a JWT
// because of its times; @octokit/auth-app, src/hook.ts, matches the same.
var clockComplaints = []string{
	"'Expiration time' claim ('exp') is too far in the future",
	"'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
	"'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
}

// BlamesClock reports whether the text of GitHub's 401 says that a JWT is refused
// because of its times.
func BlamesClock(text string) bool {
	return slices.ContainsFunc(clockComplaints, func(complaint string) bool { return strings.Contains(text, complaint) })
}

// blamesClock reports whether GitHub refused a JWT because of its times.
func (e *Error) blamesClock() bool {
	return e.Status == http.StatusUnauthorized && BlamesClock(e.Message)
}

// Redate returns the JWT to use instead of one that GitHub refuses because of its
// times: one that is dated by the Date of that answer, whose Age is "" if it has
// none. Where that changes nothing, refused itself is returned. The error is a
// *SigningError or about ctx.
func (s *Source) Redate(ctx context.Context, refused Credential, date, age string) (Credential, error) {
	if !refused.JWT() {
		return refused, nil
	}
	for _, app := range s.candidates(refused.App.Host, refused.App.Name) {
		app.clock.observe(date, age)
		h, err := s.jwt(ctx, app)
		if err != nil {
			return refused, err
		}
		refused.header = h
	}
	return refused, nil
}
