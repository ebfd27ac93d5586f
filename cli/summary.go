package cli

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

// group is what requests of a summary have in common.
type group struct {
	kind                   string // the message: "request", "tunnel", "refused"
	host, route            string
	credential, app, owner string
	installation           int64
	status                 int64  // of those that failed
	failed                 string // and their error
}

// tally counts what is logged. It may be used by many goroutines.
type tally struct {
	mu     sync.Mutex
	counts map[group]int
	others int // beyond maxGroups
}

// counting is a slog.Handler that counts what passes it.
type counting struct {
	slog.Handler
	tally *tally
	fixed []slog.Attr // of With
}

// summarized returns a logger like log and the tally of what it logs.
func summarized(log *slog.Logger) (*slog.Logger, *tally) {
	t := &tally{counts: make(map[group]int)}
	return slog.New(&counting{Handler: log.Handler(), tally: t}), t
}

// Handle implements slog.Handler.
func (c *counting) Handle(ctx context.Context, record slog.Record) error {
	c.tally.add(record, c.fixed)
	return c.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (c *counting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &counting{c.Handler.WithAttrs(attrs), c.tally, slices.Concat(c.fixed, attrs)}
}

// WithGroup implements slog.Handler. What is in a group is not counted.
func (c *counting) WithGroup(name string) slog.Handler { return c.Handler.WithGroup(name) }

func (t *tally) add(record slog.Record, fixed []slog.Attr) {
	g := group{kind: record.Message}
	if g.kind != "request" && g.kind != "tunnel" && g.kind != "refused" {
		return
	}
	for _, attr := range fixed {
		g.take(attr)
	}
	record.Attrs(g.take)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.counts[g]; !known && len(t.counts) >= maxGroups {
		t.others++
		return
	}
	t.counts[g]++
}

// take fills in what an attribute says. It always returns true.
func (g *group) take(attr slog.Attr) bool {
	switch attr.Key {
	case "host":
		g.host = attr.Value.String()
	case "route":
		g.route = attr.Value.String()
	case "credential":
		g.credential = attr.Value.String()
	case "app":
		g.app = attr.Value.String()
	case "owner":
		g.owner = attr.Value.String()
	case "installation":
		g.installation = attr.Value.Int64()
	case "status":
		if status := attr.Value.Int64(); status >= 400 {
			g.status = status
		}
	case "error":
		g.failed = attr.Value.String()
	}
	return true
}

// attrs are what there is to say about a group.
func (g *group) attrs(count int) []slog.Attr {
	attrs := []slog.Attr{slog.Int("count", count), slog.String("what", g.kind), slog.String("host", g.host)}
	for _, attr := range []slog.Attr{
		slog.String("route", g.route), slog.String("credential", g.credential), slog.String("owner", g.owner), slog.String("app", g.app),
	} {
		if attr.Value.String() != "" {
			attrs = append(attrs, attr)
		}
	}
	if g.installation != 0 {
		attrs = append(attrs, slog.Int64("installation", g.installation))
	}
	if g.status != 0 {
		attrs = append(attrs, slog.Int64("status", g.status))
	}
	if g.failed != "" {
		attrs = append(attrs, slog.String("error", g.failed))
	}
	return attrs
}

// report logs one line for each group, the most frequent first.
func (t *tally) report(log *slog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	groups := make([]group, 0, len(t.counts))
	total, others := t.others, t.others
	for g, count := range t.counts {
		groups = append(groups, g)
		total += count
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(t.counts[b], t.counts[a]), cmp.Compare(a.kind, b.kind), cmp.Compare(a.host, b.host),
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
