package admin_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/event"
)

const hostile = `"><script>window.pwned=1</script><img src=x onerror=window.pwned=1>{{.}}</section>`

// pageOf is a Server with a page, of a state and Events.
func pageOf(t testing.TB, state admin.State, events ...event.Event) (address string, recent *admin.Recent) {
	recent = admin.NewRecent()
	for i := range events {
		recent.Count(&events[i])
	}
	return serve(t, "tcp", "127.0.0.1:0", admin.Options{
		State: func() admin.State { return state }, Recent: recent, Metrics: admin.NewMetrics(nil, ""), Version: "v1.2.3",
		Explain: explainFake,
	}), recent
}

func explainFake(client, method, url string) (string, error) {
	if url == "" {
		return "", errors.New("a URL is needed")
	}
	return "client " + client + "\nrequest " + method + " " + url + "\n", nil
}

func get(t testing.TB, address, path string) (*http.Response, string) {
	t.Helper()
	return ask(t, "tcp", address, "GET "+path+" HTTP/1.1\nHost: localhost\nConnection: close\n\n")
}

// hostileState has a text of somebody else's wherever there can be one.
func hostileState() admin.State {
	s := busy()
	s.Apps[0].Name, s.Apps[0].Host, s.Apps[0].Problem, s.Apps[0].Remedy = hostile, hostile, hostile, hostile
	s.Apps[0].Installations[0].Account, s.Apps[0].Installations[0].Quotas[0].Resource = hostile, hostile
	s.Apps[0].Wrong[0] = admin.Fault{Problem: hostile, Remedy: hostile}
	s.GitHubs[0] = admin.GitHub{Host: hostile, Missed: time.Now(), Problem: hostile, Offset: time.Hour}
	s.Clients[0] = admin.Client{Name: hostile, May: hostile}
	s.Grants.Problem = hostile
	s.Reload.Problem, s.Reload.Restart = hostile, []string{hostile}
	s.Authorities[0] = admin.Authority{Name: hostile, Problem: hostile, Remedy: hostile}
	return s
}

func hostileEvent() event.Event {
	return event.Event{
		Kind: event.Request, Time: time.Now(), Client: hostile, Address: hostile, Method: hostile, Host: hostile, Path: hostile, Operation: hostile, Subject: hostile,
		Actor: hostile, Purpose: hostile, Grant: []event.Link{{ID: hostile}}, Decision: event.Refused, DecidedBy: hostile, Err: errors.New(hostile), Uncovered: errors.New(hostile), Status: 403,
	}
}

// TestPageEscapes: what clients and GitHub choose is text, in the page and in updates.
func TestPageEscapes(t *testing.T) {
	address, recent := pageOf(t, hostileState(), hostileEvent())
	resp, page := get(t, address, "/")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d: %s", resp.StatusCode, page)
	}
	if strings.Count(page, "<script>") != 1 || strings.Contains(page, "<img") || strings.Contains(page, "<script>window") {
		t.Errorf("a text of somebody else's is not escaped:\n%s", page)
	}
	if n := strings.Count(page, "&lt;script&gt;window.pwned"); n < 15 {
		t.Errorf("%d of the texts are shown", n)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'sha256-") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	for name, text := range map[string]string{"style": between(t, page, "<style>", "</style>"), "script": between(t, page, "<script>", "</script>")} {
		sum := sha256.Sum256([]byte(text))
		if want := name + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(resp.Header.Get("Content-Security-Policy"), want) {
			t.Errorf("the policy does not have %s", want)
		}
	}
	updates := listen(t, address)
	defer updates.close()
	e := hostileEvent()
	recent.Count(&e)
	for name, text := range updates.next(t) {
		if strings.Contains(text, "<script") || strings.Contains(text, "<img") {
			t.Errorf("section %s: a text of somebody else's is not escaped:\n%s", name, text)
		}
	}
}

func between(t *testing.T, text, begin, end string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, begin)
	inside, _, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("there is no %s…%s", begin, end)
	}
	return inside
}

// TestPageProblemsFirst: what is wrong stands before all else.
func TestPageProblemsFirst(t *testing.T) {
	state := healthy()
	state.Reload.Problem = "config.toml:3: app.x: no key"
	state.GitHubs[0].Offset = -time.Minute
	state.Authorities = []admin.Authority{{Name: "github.com", Problem: "the CA expires soon", Remedy: "run `ghapp-proxy ca --renew`"}}
	state.RecordsLost = 7
	state.Shared = &admin.Shared{Away: true, Since: time.Now(), Problem: "connection refused by the store"}
	state.Apps[0].Wrong = []admin.Fault{{Problem: "app.ci-bot.installations.acme = 1 is an installation on globex, not on acme"}}
	uncovered := event.Event{Kind: event.Request, Time: time.Now(), Client: "agent", Method: "GET", Host: "api.github.com", Path: "/repos/nobody/x", Operation: "repos/get", Subject: "nobody/x", Decision: event.Forwarded, Status: 404, Uncovered: errors.New("no App is installed for nobody")}
	address, _ := pageOf(t, state, uncovered)
	_, page := get(t, address, "/")
	last := strings.Index(page, "Latest requests")
	for _, text := range []string{
		"config.toml:3: app.x: no key", "clock is off: that of github.com is 1 min behind", "CA for github.com: the CA expires soon", "run `ghapp-proxy ca --renew`",
		"Records of the audit log were lost: 7", "connection refused by the store", "is an installation on globex, not on acme", "no App is installed for nobody",
	} {
		if at := strings.Index(page, text); at < 0 || at > last {
			t.Errorf("%q does not stand before the requests (at %d of %d)", text, at, last)
		}
	}
	address, _ = pageOf(t, healthy())
	if _, page := get(t, address, "/"); !strings.Contains(page, "Nothing is wrong.") || !strings.Contains(page, "No requests yet.") {
		t.Errorf("of a proxy that is well and idle:\n%s", page)
	}
}

// TestPageLimits: the page says what was saved, what waits and why, and what is left.
func TestPageLimits(t *testing.T) {
	state := busy()
	state.Apps[0].Installations[0].Paused = time.Now().Add(10 * time.Minute)
	address, _ := pageOf(t, state)
	_, page := get(t, address, "/")
	for _, text := range []string{
		"5 answers kept in 3 MiB of 64 MiB, which saved 18 of the quota and 17 KiB", "3 requests wait", "for points", "GitHub wants nothing for ",
		`<span class="number">4000</span><span class="quiet wide">of 5000, `,
	} {
		if !strings.Contains(page, text) {
			t.Errorf("%q is not on the page:\n%s", text, page)
		}
	}
}

// updates are what a browser is sent.
type updates struct {
	conn net.Conn
	in   *bufio.Reader
}

func listen(t *testing.T, address string) *updates {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /live HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n\r\n")
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", resp, err)
	}
	return &updates{conn, bufio.NewReader(resp.Body)}
}

func (u *updates) close() { u.conn.Close() }

// next waits for an update: section → HTML.
func (u *updates) next(t *testing.T) (sections map[string]string) {
	t.Helper()
	for {
		line, err := u.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &sections); err != nil {
				t.Fatal(err)
			}
			return sections
		}
	}
}

// TestLive: who listens is told what changes, and nothing else.
func TestLive(t *testing.T) {
	address, recent := pageOf(t, busy())
	first := listen(t, address)
	defer first.close()
	if all := first.next(t); len(all) != 6 {
		t.Errorf("%d sections at first, want all", len(all))
	}
	e := event.Event{Kind: event.Request, Time: time.Now(), Client: "agent", Method: "GET", Host: "api.github.com", Path: "/repos/acme/widgets", Operation: "repos/get", Decision: event.Forwarded, Credential: "installation", Status: 200}
	recent.Count(&e)
	change := first.next(t)
	if !strings.Contains(change["requests"], "/repos/acme/widgets") || change["apps"] != "" || change["problems"] != "" {
		t.Errorf("the update has %d sections: %q", len(change), change)
	}
	second := listen(t, address)
	defer second.close()
	if all := second.next(t); !strings.Contains(all["requests"], "/repos/acme/widgets") {
		t.Errorf("who comes later is not told what is: %q", all)
	}
}

// TestListenersAreBounded: what is more is refused, and comes in when another leaves.
func TestListenersAreBounded(t *testing.T) {
	address, _ := pageOf(t, busy())
	var open []*updates
	for range 16 {
		open = append(open, listen(t, address))
	}
	if resp, body := get(t, address, "/live"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more: %d %s, want 503", resp.StatusCode, body)
	}
	for _, u := range open {
		u.close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		conn.Close()
		if err == nil && resp.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no room after all had left: %v, %v", resp, err)
		}
	}
}

// TestExplainBox: the answer is text, whatever was asked.
func TestExplainBox(t *testing.T) {
	address, _ := pageOf(t, busy())
	resp, body := get(t, address, "/explain?method=GET&client=agent&url=https://api.github.com/%3Cscript%3E")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || body != "client agent\nrequest GET https://api.github.com/<script>\n" {
		t.Errorf("%d %s: %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	if resp, body := get(t, address, "/explain"); resp.StatusCode != 400 || body != "a URL is needed\n" {
		t.Errorf("no URL: %d %s", resp.StatusCode, body)
	}
	if resp, _ := get(t, address, "/explain?url="+strings.Repeat("x", 5000)); resp.StatusCode != 414 {
		t.Errorf("a long URL: %d, want 414", resp.StatusCode)
	}
}

// TestLinkToThePage: a link from elsewhere shows the page, and gets nothing else.
func TestLinkToThePage(t *testing.T) {
	address, _ := pageOf(t, busy())
	const link = " HTTP/1.1\nHost: localhost\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\nConnection: close\n\n"
	for path, want := range map[string]int{"/": 200, "/metrics": 403, "/live": 403, "/explain?url=x": 403} {
		if resp, _ := ask(t, "tcp", address, "GET "+path+link); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// TestRecentIsBounded: what clients send is kept for a moment, and not all of it.
func TestRecentIsBounded(t *testing.T) {
	address, recent := pageOf(t, healthy())
	for i := range 10000 {
		recent.Count(&event.Event{
			Kind: event.Request, Time: time.Now(), Method: "GET", Host: "api.github.com", Path: fmt.Sprint("/", i, strings.Repeat("x", 10000)), Subject: fmt.Sprint("owner-", i),
			Decision: event.Forwarded, Status: 404, Uncovered: errors.New("no App is installed for " + strings.Repeat("y", 10000)), Err: errors.New(strings.Repeat("z", 10000)),
		})
	}
	_, page := get(t, address, "/")
	if len(page) > 100<<10 || !strings.Contains(page, "/9999") || strings.Contains(page, "/9949x") {
		t.Errorf("a page of %d bytes", len(page))
	}
}

// BenchmarkRender: what an update of the page costs, with 200 installations.
func BenchmarkRender(b *testing.B) {
	address, _ := pageOf(b, many(200), manyEvents()...)
	_, page := get(b, address, "/")
	client := &http.Client{}
	defer b.ReportMetric(float64(len(page)), "B/page")
	for b.Loop() {
		resp, err := client.Get("http://" + address + "/")
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

// BenchmarkRecent: what the page costs a request, whether somebody looks or not.
func BenchmarkRecent(b *testing.B) {
	recent := admin.NewRecent()
	e := event.Event{Kind: event.Request, Time: time.Now(), Client: "agent", Method: "GET", Host: "api.github.com", Path: "/repos/acme/widgets", Operation: "repos/get", Decision: event.Forwarded, Credential: "installation", Status: 200}
	b.ReportAllocs()
	for b.Loop() {
		recent.Count(&e)
	}
}
