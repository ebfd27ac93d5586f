package admin_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/event"
)

// many is the state of a proxy with so many installations.
func many(n int) admin.State {
	state := busy()
	state.Apps[0].Wrong = nil
	state.Apps[0].Installations = nil
	for i := range n {
		inst := admin.Installation{ID: int64(5000000 + i), Account: fmt.Sprintf("organization-%03d", i)}
		if i%3 != 0 {
			inst.Tokens, inst.Minted, inst.Expires = 1, time.Now().Add(-time.Duration(i%50)*time.Minute), time.Now().Add(time.Duration(60-i%50)*time.Minute)
			inst.Quotas = []admin.Quota{
				{Resource: "core", Limit: 5000, Remaining: 5000 - i*23%5000, Reset: time.Now().Add(40 * time.Minute)},
				{Resource: "graphql", Limit: 5000, Remaining: 5000 - i*7, Reset: time.Now().Add(20 * time.Minute)},
			}
		}
		state.Apps[0].Installations = append(state.Apps[0].Installations, inst)
	}
	state.Clients = nil
	for i := range 8 {
		state.Clients = append(state.Clients, admin.Client{Name: fmt.Sprintf("job-%d", i), May: "repositories acme/widgets, acme/docs; permissions contents write, issues write; pushes to refs/heads/agent/**", Connections: i, Requests: i % 3})
	}
	return state
}

func manyEvents() (list []event.Event) {
	for i := range 60 {
		e := event.Event{
			Kind: event.Request, Time: time.Now().Add(time.Duration(i-60) * time.Second), Duration: time.Duration(20+i*7) * time.Millisecond, Client: fmt.Sprintf("job-%d", i%8), Method: "GET", Host: "api.github.com", Path: fmt.Sprintf("/repos/acme/widgets/issues/%d/comments", i),
			Operation: "issues/list-comments", Decision: event.Forwarded, Credential: "installation", App: "ci-bot", Installation: 5000001, Status: 200, GitHubStatus: 200,
		}
		switch i % 7 {
		case 3:
			e.Method, e.Decision, e.Status, e.DecidedBy, e.Err = "POST", event.Refused, 403, "client.job-3.deny[1]", errors.New("client job-3 may not run issues/create: client.job-3.deny[1] forbids it")
		case 5:
			e.Status, e.GitHubStatus = 404, 404
		case 6:
			e.Kind, e.Method, e.Host, e.Path, e.Operation, e.Credential = event.Tunnel, "CONNECT", "packages.example.org:443", "", "", ""
		}
		list = append(list, e)
	}
	return list
}

// TestPageInChromium: the policy lets the page's own script and style work, and nothing
// of somebody else's; it is brought up to date.
func TestPageInChromium(t *testing.T) {
	recent := admin.NewRecent()
	e := hostileEvent()
	recent.Count(&e)
	var asked atomic.Int64
	address := serve(t, "tcp", "127.0.0.1:0", admin.Options{Recent: recent, Explain: explainFake, State: func() admin.State {
		if asked.Add(1) == 2 { // for an update, which the page's script has asked for
			recent.Count(&event.Event{Kind: event.Request, Time: time.Now(), Client: "late", Method: "GET", Host: "api.github.com", Path: "/what/came/later", Decision: event.Forwarded, Status: 200})
		}
		return hostileState()
	}})
	b := open(t, "http://"+address+"/")
	b.until(t, `document.getElementById("requests").innerText`, "/what/came/later")
	for script, want := range map[string]string{
		`typeof window.pwned`:     "undefined",
		`document.images.length`:  "0",
		`document.scripts.length`: "1",
		`document.body.className`: "",
		`document.styleSheets.length + getComputedStyle(document.querySelector(".problem")).borderLeftStyle`: "1solid",
	} {
		if got := b.eval(t, script); got != want {
			t.Errorf("%s is %q, want %q", script, got, want)
		}
	}
	b.eval(t, `document.getElementById("url").value = "https://api.github.com/<b>"`)
	b.eval(t, `document.querySelector("button").click()`)
	b.until(t, `document.getElementById("explained").innerHTML`, "request GET https://api.github.com/&lt;b&gt;")
	for _, width := range []int{390, 1280} { // and nothing is wider than the window
		b.resize(t, width, 900, "dark")
		if got := b.eval(t, fmt.Sprintf(`[...document.querySelectorAll("body > *, main > *, .problem, .scroll, form > *")].filter((e) => e.getBoundingClientRect().right > %d).map((e) => e.outerHTML).join()`, width)); got != "" {
			t.Errorf("at %d pixels there is wider than the window:\n%.500s", width, got)
		}
	}
}
