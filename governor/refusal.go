package governor

import (
	"fmt"
	"time"
)

// Refusal says why a request may not leave.
type Refusal struct {
	Limit   Limit
	Most    string // what the limit is: "900 points a minute of the REST API"
	RetryAt time.Time
	Left    Left // of the primary limit; zero where nothing is known
	Waited  time.Duration
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Waited > 0 {
		return fmt.Sprintf("%s: after %s", r.Most, r.Waited.Round(time.Second))
	}
	return r.Most
}

// refusal refuses one who waits.
func (b *Bucket) refusal(w *waiter, lacks set, at, now time.Duration) *Refusal {
	left, _ := b.left(w.class)
	return b.refuse(lacks.first(), time.Now().Add(max(at-now, time.Second)), left, now-w.since)
}

// refuse refuses a request, and counts that.
func (b *Bucket) refuse(l Limit, at time.Time, left Left, waited time.Duration) *Refusal {
	b.g.refused[l].Add(1)
	return &Refusal{Limit: l, Most: b.most(l, &left), RetryAt: at, Left: left, Waited: waited}
}

// most says what a limit is.
func (b *Bucket) most(l Limit, left *Left) string {
	by := b.limits
	switch l {
	case RetryAfter:
		return "GitHub said to wait"
	case Quota:
		return fmt.Sprintf("%d requests until the reset", left.Limit)
	case Share:
		return fmt.Sprintf("%d requests until the reset, the client's share", left.Limit)
	case Mints:
		return fmt.Sprintf("%d tokens an hour", by.MintsAnHour)
	case CreationsAnHour:
		return fmt.Sprintf("%d creations of content an hour", by.CreationsAnHour)
	case CreationsAMinute:
		return fmt.Sprintf("%d creations of content a minute", by.CreationsAMinute)
	case Points:
		return fmt.Sprintf("%d points a minute", by.Points)
	case GraphQLPoints:
		return fmt.Sprintf("%d points a minute of GraphQL", by.GraphQLPoints)
	case WritePause:
		return fmt.Sprintf("a pause of %s between requests that change something", by.WritePause)
	case Full:
		return "too many requests wait for GitHub already"
	}
	return fmt.Sprintf("%d requests at once", by.Concurrent)
}
