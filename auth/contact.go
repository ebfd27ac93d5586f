package auth

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// contact is whether an instance answers. The zero value was not asked. It is safe
// for concurrent use.
type contact struct {
	reached atomic.Int64 // when it answered last, in Unix nanoseconds
	missed  atomic.Pointer[report]
}

// report is what GitHub, or the network, said at some time.
type report struct {
	at  time.Time
	err error // nil if all was well
}

// reach notes that it answered.
func (c *contact) reach() { c.reached.Store(time.Now().UnixNano()) }

// miss notes that it could not be asked, unless nobody waited any more.
func (c *contact) miss(ctx context.Context, err error) {
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		c.missed.Store(&report{time.Now(), err})
	}
}
