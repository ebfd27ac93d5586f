package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ghapp-proxy/panics"

	"golang.org/x/sync/singleflight"
)

const (
	// refusalTTL is how long a refusal is remembered: GitHub is not asked the
	// same again, however many clients want to know.
	refusalTTL = 10 * time.Second
	// maxRefusalTTL bounds what Retry-After makes of it.
	maxRefusalTTL = time.Minute
	maxRefusals   = 10000 // remembered
)

// flights are the questions to GitHub that are under way, each of them once for
// everybody who waits, and what GitHub refused a moment ago. Here the questions
// are counted. It is safe for concurrent use.
type flights struct {
	group    singleflight.Group
	refusals *cache[error] // key of a flight → what GitHub said a moment ago
	budget   *Budget       // of questions that are no client's
	log      *slog.Logger

	lifetime context.Context // of the work that no single waiter owns
	end      context.CancelFunc

	working sync.WaitGroup // the goroutines that were started
	mu      sync.Mutex
	closed  bool // no more of them may start
}

func newFlights(log *slog.Logger) *flights {
	f := &flights{refusals: newCache[error](maxRefusals), budget: NewBudget(MaxCalls), log: log}
	// What a question comes to counts as one: it has no budget of its own.
	f.lifetime, f.end = context.WithCancel(WithBudget(context.Background(), nil))
	return f
}

// close ends all work that is under way, and waits for its end.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.end()
	f.working.Wait()
}

// begin reports whether work may begin, which then ends with f.working.Done.
func (f *flights) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.working.Add(1)
	}
	return !f.closed
}

// spawn runs work in the background, unless all has been closed.
func (f *flights) spawn(work func(ctx context.Context)) {
	if f.begin() {
		go func() {
			defer f.working.Done()
			defer panics.Log(f.log, "a fault in the background")
			work(f.lifetime)
		}()
	}
}

// catch is to be deferred: a fault in what several wait for is the error of each,
// and in the log once.
func (f *flights) catch(err *error) {
	if value := recover(); value != nil {
		fault := panics.Recovered(value)
		f.log.Error("a fault in asking GitHub", "error", fault, "stack", string(fault.Stack))
		*err = fault
	}
}

// remember keeps a refusal for a time, filed under the key of its flight.
func (f *flights) remember(key string, err error, ttl time.Duration) { f.refusals.set(key, err, ttl) }

// refusal returns what is remembered under key, as it was.
func (f *flights) refusal(key string) error {
	err, _ := f.refusals.get(key)
	return err
}

// budgetOf is whose budget questions count against.
func (f *flights) budgetOf(ctx context.Context) *Budget {
	if b, ok := ctx.Value(budgetKey{}).(*Budget); ok {
		return b
	}
	return f.budget
}

// errClosed is for those who come after Close.
var errClosed = fmt.Errorf("the source of credentials is closed: %w", context.Canceled)

// errNoPlace is for those who joined work that was not begun.
var errNoPlace = errors.New("no place in the budget")

// once runs work, or waits for the same work under way. The work has the
// Source's lifetime, so that a waiter whose ctx ends leaves without stopping it. It
// counts against the budget of who began it.
func once[T any](ctx context.Context, f *flights, key string, work func(context.Context) (T, error)) (zero T, err error) {
	budget := f.budgetOf(ctx)
	var patience <-chan time.Time
	for {
		done := f.group.DoChan(key, func() (got any, err error) {
			got = zero
			defer f.catch(&err)
			if !budget.take() {
				return zero, errNoPlace
			}
			defer budget.give()
			if !f.begin() {
				return zero, errClosed
			}
			defer f.working.Done()
			return work(f.lifetime)
		})
		select {
		case <-ctx.Done():
			return zero, ctx.Err()
		case result := <-done:
			if result.Err != errNoPlace {
				return result.Val.(T), result.Err
			}
		}
		// It may have been another's budget that has no place.
		if patience == nil {
			timer := time.NewTimer(budgetPatience)
			defer timer.Stop()
			patience = timer.C
		}
		if err := budget.wait(ctx, patience); err != nil {
			return zero, err
		}
	}
}
