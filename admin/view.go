package admin

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"time"

	"ghapp-proxy/event"
)

const (
	// lowQuota is the share of a quota below which somebody should look.
	lowQuota = 0.1
	// offClock is how far the clocks may be apart before somebody should look.
	offClock = 5 * time.Second
	// maxRows is how many installations of an App the page shows.
	maxRows = 500
)

// view is what the page shows.
type view struct {
	Version, Host string
	Started       time.Time
	Problems      []problem
	Apps          []appView
	Clients       []clientView
	Grants        []grantView
	Revoked       int
	Events        []eventView
	Total         int
	Requests      int
	Tunnels       int
	Cache         Cache
	Explain       bool
	Style         template.CSS
	Script        template.JS
}

// problem is what somebody should look at.
type problem struct {
	Bad          bool // else it can wait
	What, Remedy string
}

type appView struct {
	App
	Rows []installationView
	More int // beyond these
}

type installationView struct {
	Installation
	Quotas []quotaView
}

type quotaView struct {
	Quota
	Low bool
}

type clientView struct {
	Client
	Rate, Refused int // in the last minute
}

type eventView struct {
	Time                  time.Time
	Client, Method, What  string
	Decision, Why, Status string
	Level                 string // of colour: "good", "warn", "bad"
	Took                  string
}

// view makes what the page shows. All texts are clipped; the template escapes them.
func (s *Server) view(now time.Time) *view {
	state := s.opts.State()
	latest := s.opts.Recent.latest()
	v := &view{
		Version: s.opts.Version, Started: s.started, Problems: problems(&state, latest.uncovered, now), Total: latest.total,
		Requests: state.Requests, Tunnels: state.Tunnels, Cache: state.Cache, Revoked: state.Grants.Revoked, Explain: s.opts.Explain != nil, Style: pageStyle, Script: pageScript,
	}
	for _, app := range state.Apps {
		v.Apps = append(v.Apps, viewApp(app))
	}
	for _, c := range state.Clients {
		view := clientView{Client: c}
		view.Rate, view.Refused = s.opts.Recent.of(c.Name, now)
		view.May = shown(view.May)
		v.Clients = append(v.Clients, view)
	}
	for _, g := range s.opts.Recent.usedGrants() {
		v.Grants = append(v.Grants, viewGrant(&g, s.opts.Revoked != nil && s.opts.Revoked(g.path), now))
	}
	for i := range latest.events {
		v.Events = append(v.Events, viewEvent(&latest.events[i]))
	}
	return v
}

// viewApp puts those installations first of whose quota the least is left.
func viewApp(app App) appView {
	v := appView{App: app}
	rows := slices.Clone(app.Installations)
	slices.SortStableFunc(rows, func(a, b Installation) int {
		return cmp.Or(cmp.Compare(a.left(), b.left()), cmp.Compare(b.Minted.Unix(), a.Minted.Unix()), cmp.Compare(a.Account, b.Account))
	})
	v.More = max(0, len(rows)-maxRows)
	for _, inst := range rows[:len(rows)-v.More] {
		row := installationView{Installation: inst}
		for _, q := range inst.Quotas {
			row.Quotas = append(row.Quotas, quotaView{q, q.share() < lowQuota})
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// viewEvent is a line of the latest requests.
func viewEvent(e *event.Event) eventView {
	v := eventView{
		Time: e.Time, Client: cmp.Or(e.Client, e.Address), Method: shown(e.Method), What: shown(e.Host + e.Path),
		Decision: string(e.Decision), Level: "good", Took: short(e.Duration),
	}
	if e.Status != 0 {
		v.Status = fmt.Sprint(e.Status)
	}
	switch {
	case e.Decision == event.Refused || e.Decision == event.Failed || e.Status >= 500:
		v.Level = "bad"
	case e.Status >= 400 || e.Err != nil:
		v.Level = "warn"
	}
	switch {
	case e.Err != nil:
		v.Why = shown(e.Err.Error())
		if e.DecidedBy != "" {
			v.Why = e.DecidedBy + ": " + v.Why
		}
	case e.Credential == "installation":
		v.Why = fmt.Sprintf("%s, installation %d of %s", shown(e.Operation), e.Installation, e.App)
	case e.Credential != "":
		v.Why = shown(e.Operation) + ", " + e.Credential
	}
	if e.Err == nil && e.Cache != "" {
		v.Why += ", cache: " + e.Cache
	}
	return v
}

// problems are what somebody should look at, the worst first.
func problems(s *State, uncovered []uncovered, now time.Time) (list []problem) {
	bad := func(what, remedy string) { list = append(list, problem{true, what, remedy}) }
	warn := func(what, remedy string) { list = append(list, problem{false, what, remedy}) }
	if s.Draining {
		warn("The proxy is about to end.", "")
	}
	if s.Cache.Quiet {
		warn("No answers are kept for a while: GitHub's ETags are not what they should be.", "Nothing is wrong with what clients get. If it stays so, look for a newer version of the proxy.")
	}
	if s.Shared != nil && s.Shared.Away {
		warn("The store that replicas share is away, and this one goes on by itself: "+s.Shared.Problem, "")
	}
	if s.Reload.Problem != "" {
		bad("The configuration was not read again, the one before is in force: "+s.Reload.Problem, "")
	}
	for _, g := range s.GitHubs {
		if c := contact(g, now); c.failed != "" {
			bad(g.Host+" "+c.failed, "")
		} else if c.warns != "" {
			warn(g.Host+" "+c.warns, "")
		}
		if g.Offset.Abs() >= offClock {
			warn(fmt.Sprintf("This machine's clock is off: that of %s is %s %s.", g.Host, short(g.Offset.Abs()), aheadOrBehind(g.Offset)), "set the clock")
		}
	}
	for _, app := range s.Apps {
		if app.Problem != "" {
			bad(app.Problem, app.Remedy)
		}
		for _, wrong := range app.Wrong {
			bad(wrong.Problem, wrong.Remedy)
		}
	}
	if s.Grants.Problem != "" {
		bad("No grant is good: "+s.Grants.Problem, "")
	}
	for _, ca := range s.Authorities {
		if ca.Problem != "" {
			bad("CA for "+ca.Name+": "+ca.Problem, ca.Remedy)
		}
	}
	if s.RecordsLost > 0 {
		bad(fmt.Sprintf("Records of the audit log were lost: %d.", s.RecordsLost), "see to the disk, or to who reads it")
	}
	for _, u := range slices.Backward(uncovered) {
		warn(u.problem, "")
	}
	for i := range s.Apps {
		if low := lowest(s.Apps[i].Installations); low != "" {
			warn(s.Apps[i].Name+": "+low, "")
		}
	}
	if len(s.Reload.Restart) > 0 {
		warn(fmt.Sprintf("A restart is needed for %q.", s.Reload.Restart), "")
	}
	slices.SortStableFunc(list, func(a, b problem) int { return cmp.Compare(one(b.Bad), one(a.Bad)) })
	return list
}

// lowest says of how many installations the quota is low, "" for none.
func lowest(all []Installation) string {
	n, first := 0, ""
	for i := range all {
		if all[i].left() < lowQuota {
			n++
			first = cmp.Or(first, cmp.Or(all[i].Account, int64Text(all[i].ID)))
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return "little is left of a quota of " + first
	}
	return fmt.Sprintf("little is left of a quota of %s and %d more", first, n-1)
}

func aheadOrBehind(d time.Duration) string {
	if d > 0 {
		return "ahead"
	}
	return "behind"
}

// minutes is a longer duration for people. It changes once a minute.
func minutes(d time.Duration) string {
	if d < time.Minute {
		return "< 1 min"
	}
	return short(d)
}

// short is a duration for people.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
