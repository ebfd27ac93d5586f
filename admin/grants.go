package admin

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/event"
)

// maxGrants is how many grants the page shows: those that were used last.
const maxGrants = 50

// usedGrant is a grant that somebody has sent.
type usedGrant struct {
	path                   []string // the ids of its links
	client, actor, purpose string
	ends, last             time.Time
	uses, refused          int
}

// noteGrant counts what was asked for with a grant. r.mu is held.
func (r *Recent) noteGrant(e *event.Event, now time.Time, refused bool) {
	if len(e.Grant) == 0 {
		return
	}
	id := e.Grant[len(e.Grant)-1].ID // which nobody can choose
	g := r.grants[id]
	if g == nil {
		r.dropGrant()
		g = &usedGrant{client: e.Client, actor: e.Actor, purpose: e.Purpose, ends: e.GrantEnds}
		for _, link := range e.Grant {
			g.path = append(g.path, link.ID)
		}
		r.grants[id] = g
	}
	g.last = now
	g.uses++
	if refused {
		g.refused++
	}
}

// dropGrant makes room for one more. r.mu is held.
func (r *Recent) dropGrant() {
	if len(r.grants) < maxGrants {
		return
	}
	all := slices.Collect(maps.Keys(r.grants))
	delete(r.grants, slices.MinFunc(all, func(a, b string) int { return r.grants[a].last.Compare(r.grants[b].last) }))
}

// usedGrants are the grants, the one that was used last first.
func (r *Recent) usedGrants() []usedGrant {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]usedGrant, 0, len(r.grants))
	for _, g := range r.grants {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b usedGrant) int {
		return cmp.Or(b.last.Compare(a.last), slices.Compare(a.path, b.path))
	})
	return list
}

type grantView struct {
	Path, Client, For string
	Last              time.Time
	Uses, Refused     int
	Level, State      string // of colour, and in words; "" while it is good
	Ends              time.Time
}

// viewGrant is a line of the grants.
func viewGrant(g *usedGrant, revoked bool, now time.Time) grantView {
	v := grantView{Path: strings.Join(g.path, "/"), Client: g.client, For: shown(g.actor), Last: g.last, Uses: g.uses, Refused: g.refused, Ends: g.ends}
	if g.purpose != "" {
		v.For = strings.TrimPrefix(v.For+": ", ": ") + shown(g.purpose)
	}
	switch {
	case revoked:
		v.Level, v.State = "bad", "revoked"
	case !now.Before(g.ends):
		v.Level, v.State = "warn", "ended"
	}
	return v
}
