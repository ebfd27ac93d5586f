package admin

import (
	"slices"
	"sync"
	"time"

	"ghapp-proxy/event"
)

const (
	// maxRecent is how many Events the page shows, maxUncovered of how many owners
	// without an installation it tells.
	maxRecent    = 50
	maxUncovered = 20
	// maxShown is how much is shown of a text that a client or GitHub chose.
	maxShown = 200
	// rateOver is the time that rates are counted over.
	rateOver = time.Minute
)

// Recent are the latest Events, for the page, and what clients did in the last minute.
// It is made by NewRecent, and safe for concurrent use.
type Recent struct {
	mu        sync.Mutex
	ring      [maxRecent]event.Event
	n         int                   // Events so far
	uncovered []uncovered           // the latest last
	rates     map[string]*rate      // client → what it did of late
	grants    map[string]*usedGrant // id of the last link → maxGrants at most
}

// uncovered is an owner for whom no App is installed.
type uncovered struct {
	owner, problem string
	at             time.Time
}

// rate counts in seconds of the last minute.
type rate struct {
	requests, refused [int(rateOver / time.Second)]struct {
		at int64 // the second
		n  int
	}
}

// NewRecent returns Recent of nothing yet.
func NewRecent() *Recent {
	return &Recent{rates: make(map[string]*rate), grants: make(map[string]*usedGrant)}
}

// Count takes an Event that has ended. It is one of the proxy's Options.Events.
func (r *Recent) Count(e *event.Event) {
	now := time.Now()
	refused := e.Decision == event.Refused || e.Decision == event.Failed
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.rates[e.Client]
	if of == nil {
		of = new(rate)
		r.rates[e.Client] = of
	}
	of.count(now.Unix(), refused)
	r.noteGrant(e, now, refused)
	if e.Unrecorded {
		return // there are many of the kind
	}
	at := &r.ring[r.n%maxRecent]
	*at = *e
	at.Fields, at.Refs, at.Fault = nil, nil, nil // which may be large
	r.n++
	if e.Uncovered != nil {
		r.note(e, now)
	}
}

// count counts one.
func (r *rate) count(second int64, refused bool) {
	at := int(second % int64(len(r.requests)))
	if r.requests[at].at != second {
		r.requests[at].at, r.requests[at].n = second, 0
		r.refused[at].at, r.refused[at].n = second, 0
	}
	r.requests[at].n++
	if refused {
		r.refused[at].n++
	}
}

// lastMinute adds up.
func (r *rate) lastMinute(second int64) (requests, refused int) {
	if r == nil {
		return 0, 0
	}
	for i := range r.requests {
		if r.requests[i].at > second-int64(len(r.requests)) {
			requests += r.requests[i].n
			refused += r.refused[i].n
		}
	}
	return requests, refused
}

// note remembers an owner without an installation, once.
func (r *Recent) note(e *event.Event, now time.Time) {
	r.uncovered = slices.DeleteFunc(r.uncovered, func(u uncovered) bool { return u.owner == e.Subject })
	if len(r.uncovered) == maxUncovered {
		r.uncovered = slices.Delete(r.uncovered, 0, 1)
	}
	r.uncovered = append(r.uncovered, uncovered{event.Clip(e.Subject), shown(e.Uncovered.Error()), now})
}

// recently is what there is to show.
type recently struct {
	events    []event.Event // the latest first
	total     int
	uncovered []uncovered
}

// latest copies what there is to show.
func (r *Recent) latest() recently {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.n, maxRecent)
	got := recently{events: make([]event.Event, n), total: r.n, uncovered: slices.Clone(r.uncovered)}
	for i := range got.events {
		got.events[i] = r.ring[(r.n-1-i)%maxRecent]
	}
	return got
}

// of is what a client did in the last minute.
func (r *Recent) of(client string, now time.Time) (requests, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rates[client].lastMinute(now.Unix())
}

// shown is as much of a text as the page shows.
func shown(text string) string {
	if runes := []rune(text); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return text
}
