package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/event"
)

// grantEvent is a request with a grant of two links.
func grantEvent(id string, decision event.Decision, ends time.Time) event.Event {
	return event.Event{
		Kind: event.Request, Time: time.Now(), Client: "agent", Method: "GET", Host: "api.github.com", Path: "/meta", Decision: decision,
		Actor: "octocat", Purpose: "task 42", Grant: []event.Link{{ID: "ROOT"}, {ID: id}}, GrantEnds: ends,
	}
}

// TestPageGrants: the page says which grants were used of late, for whom, and which of them
// are revoked.
func TestPageGrants(t *testing.T) {
	later, before := time.Now().Add(90*time.Minute), time.Now().Add(-time.Minute)
	recent := admin.NewRecent()
	for _, e := range []event.Event{
		grantEvent("GOOD", event.Forwarded, later), grantEvent("GOOD", event.Refused, later), grantEvent("ENDED", event.Refused, before), grantEvent("GONE", event.Refused, later),
	} {
		recent.Count(&e)
	}
	state := healthy()
	state.Grants = admin.Grants{Revoked: 7, Problem: "the list cannot be read"}
	address := serve(t, "tcp", "127.0.0.1:0", admin.Options{
		State: func() admin.State { return state }, Recent: recent, Revoked: func(ids []string) bool { return slices.Contains(ids, "GONE") },
	})
	_, page := get(t, address, "/")
	_, grants, _ := strings.Cut(page, `<section id="grants">`)
	grants, _, _ = strings.Cut(grants, "</section>")
	rows := strings.Split(grants, "<tr>")
	for _, test := range []struct{ id, want string }{
		{"GOOD", `<td class="number">2<td class="number"><span class="mark bad">1</span><td><span class="quiet">89 min left`},
		{"ENDED", `<span class="mark warn">ended</span>`}, {"GONE", `<span class="mark bad">revoked</span>`},
	} {
		i := slices.IndexFunc(rows, func(row string) bool { return strings.Contains(row, "ROOT/"+test.id) })
		if i < 0 || !strings.Contains(rows[i], test.want) || !strings.Contains(rows[i], "octocat: task 42") {
			t.Errorf("%s is not shown with %q:\n%s", test.id, test.want, grants)
		}
	}
	if !strings.Contains(grants, "7 revoked") || !strings.Contains(page, "No grant is good: the list cannot be read") {
		t.Errorf("the page does not say what is revoked, and what is wrong:\n%s", page)
	}
}

// TestPageGrantsBounded: those that were used last are shown.
func TestPageGrantsBounded(t *testing.T) {
	address, recent := pageOf(t, healthy())
	if _, page := get(t, address, "/"); strings.Contains(page, "Grants") {
		t.Error("a proxy without grants shows some")
	}
	for i := range 300 {
		e := grantEvent(fmt.Sprintf("G%03d.", i), event.Forwarded, time.Now().Add(time.Hour))
		recent.Count(&e)
		first := grantEvent("FIRST", event.Forwarded, time.Now().Add(time.Hour))
		recent.Count(&first)
	}
	_, page := get(t, address, "/")
	if n := strings.Count(page, "ROOT/G"); n != 49 || !strings.Contains(page, "G299.") || strings.Contains(page, "G200.") || !strings.Contains(page, "ROOT/FIRST") {
		t.Errorf("%d grants are shown besides the first", n)
	}
}
