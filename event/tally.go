package event

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
)

const (
	maxGroups  = 500 // what is told apart; the rest is counted together
	maxSummary = 50  // lines of a summary
)

// group is what Events of a summary have in common.
type group struct {
	message                string // of their lines: "request", "tunnel", "refused"
	host, route            string
	credential, app, owner string
	installation           int64
	status                 int    // of those that failed
	failed                 string // and their error
}

func groupOf(e *Event) group {
	g := group{
		message: e.message(), host: Clip(e.Host), route: e.Operation,
		credential: e.Credential, app: e.App, owner: Clip(e.Subject), installation: e.Installation,
	}
	if e.Status >= 400 {
		g.status = e.Status
	}
	if e.Err != nil {
		g.failed = Clip(e.Err.Error())
	}
	return g
}

// Tally counts Events for a summary. The zero value has none. It may be used by
// many goroutines.
type Tally struct {
	mu     sync.Mutex
	counts map[group]int
	others int // beyond maxGroups
}

// Count counts an Event, unless there are very many of the kind.
func (t *Tally) Count(e *Event) {
	if e.Level < slog.LevelInfo {
		return
	}
	g := groupOf(e)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[group]int)
	}
	if _, known := t.counts[g]; !known && len(t.counts) >= maxGroups {
		t.others++
		return
	}
	t.counts[g]++
}

// attrs are what there is to say about a group.
func (g *group) attrs(count int) []slog.Attr {
	var l line
	l.number("count", int64(count))
	l.text("what", g.message)
	l.text("host", g.host)
	l.some("route", g.route)
	l.some("credential", g.credential)
	l.some("owner", g.owner)
	l.some("app", g.app)
	l.count("installation", g.installation, 0)
	l.count("status", int64(g.status), 0)
	l.some("error", g.failed)
	return l
}

// Report logs one line for each group, the most frequent first.
func (t *Tally) Report(log *slog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	groups := make([]group, 0, len(t.counts))
	total, others := t.others, t.others
	for g, count := range t.counts {
		groups = append(groups, g)
		total += count
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(t.counts[b], t.counts[a]), cmp.Compare(a.message, b.message), cmp.Compare(a.host, b.host),
			cmp.Compare(a.route, b.route), cmp.Compare(a.owner, b.owner), cmp.Compare(a.status, b.status), cmp.Compare(a.failed, b.failed))
	})
	for _, g := range groups[min(maxSummary, len(groups)):] {
		others += t.counts[g]
	}
	for _, g := range groups[:min(maxSummary, len(groups))] {
		log.LogAttrs(context.Background(), slog.LevelInfo, "summary", g.attrs(t.counts[g])...)
	}
	log.Info("summary", "total", total, "others", others)
}
