package auth

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"ghapp-proxy/github"
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
	instance github.Instance
	log      *slog.Logger

	offset atomic.Int64 // of the instance's clock to ours, in nanoseconds
	warned atomic.Int64 // the offset that was logged last
	looked atomic.Int64 // when an ordinary answer's Date was looked at, in Unix nanoseconds

	contact contact // with the instance
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

// observeOften is observe for every answer there is: it looks at one in a second.
func (c *clock) observeOften(date, age string) {
	now, last := time.Now().UnixNano(), c.looked.Load()
	if since := now - last; 0 <= since && since < int64(dateEvery) || !c.looked.CompareAndSwap(last, now) {
		return
	}
	c.observe(date, age)
}

// tell logs an offset that differs from the one logged before.
func (c *clock) tell(offset time.Duration) {
	last := c.warned.Load()
	if (offset-time.Duration(last)).Abs() <= jwtSkew || !c.warned.CompareAndSwap(last, int64(offset)) {
		return
	}
	if offset == 0 {
		c.log.Info("the clock agrees with GitHub's again", "host", string(c.instance))
		return
	}
	c.log.Warn("the clock differs from GitHub's, which is made up for: set it", "host", string(c.instance), "GitHub is ahead by", offset)
}
