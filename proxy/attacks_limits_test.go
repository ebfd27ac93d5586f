package proxy_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/policy"
)

// What a client sends does not fill the log.
func TestAttackLog(t *testing.T) {
	w := compromise(t, nil)
	before := len(w.log.String())
	long := strings.Repeat("A", 100_000)
	const most = 20 << 10
	for _, request := range []string{"GET /repos/acme/" + long, "GET /repos/" + long + "/x", long + " /", "GET /\nHost: " + long, "GET /orgs/acme/" + long + "\nAuthorization: " + long} {
		conn := w.intercepted(t, "api.github.com", nil)
		w.answerOf(t, conn, strings.Replace(spell("api.github.com", request), "Host: api.github.com\r\n", "", strings.Count(request, "Host:")))
		conn.Close()
	}
	for _, request := range []string{"CONNECT " + long + ":443", "GET http://" + long + "/", "GET http://api.github.com/repos/acme/" + long} {
		w.answerOf(t, w.dial(t), request+" HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	if logged := len(w.log.String()) - before; logged > most {
		t.Errorf("the log has grown by %d bytes, want %d at most", logged, most)
	}
}

// A client that uses all that it may does not keep another from anything. The
// time that a head or a body may take is not configurable, and too long for a
// test: 30 seconds and two minutes without a byte.
func TestAttackLimits(t *testing.T) {
	limited := func(limits policy.Limits) *world {
		return start(t, known(t, secrets, func(agent *policy.Client) { agent.Limits = limits }))
	}
	const widgets, wait = "api.github.com/repos/acme/widgets", "; wait, or raise client.agent."
	expect := func(w *world, client *http.Client, method, target, body, want string) {
		t.Helper()
		if got := w.outcomeOf(t, client, "", method, target, body); !strings.HasPrefix(got, want) {
			t.Errorf("%s %s: %q, want %q", method, target, got, want)
		}
	}

	t.Run("requests at once", func(t *testing.T) {
		w := limited(policy.Limits{MaxRequests: 2})
		attacker, other := w.as(t, "agent", secrets["agent"]), w.as(t, "other", secrets["other"])
		arrived, release := make(chan struct{}), make(chan struct{})
		w.github.Handle("api.github.com", "/repos/acme/widgets/contents/slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			arrived <- struct{}{}
			<-release
		}))
		var ended sync.WaitGroup
		for range 2 {
			ended.Go(func() {
				if resp, err := attacker.Get("https://" + widgets + "/contents/slow"); err == nil {
					resp.Body.Close()
				}
			})
		}
		for range 2 {
			<-arrived
		}
		expect(w, attacker, "GET", widgets, "", "429 client agent is limited to 2 requests at once"+wait+"max_requests")
		expect(w, other, "GET", "api.github.com/repos/acme/rockets", "", "200")
		close(release)
		ended.Wait()
		expect(w, attacker, "GET", widgets, "", "200")
	})

	t.Run("connections", func(t *testing.T) {
		w := limited(policy.Limits{MaxConnections: 2})
		var open []net.Conn
		connect := func(name string) string {
			conn := w.dial(t)
			fmt.Fprintf(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic %s\r\n\r\n", base64.StdEncoding.EncodeToString([]byte(name+":"+secrets[name])))
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
			if err != nil {
				t.Fatal(err)
			}
			if open = append(open, conn); (resp.Header.Get("Retry-After") == "1") != (resp.StatusCode == 429) {
				t.Errorf("%s with Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
			}
			return resp.Status
		}
		for i, want := range []string{"200", "200", "429 ghapp-proxy: client agent is limited to 2 connections" + wait + "max_connections"} {
			if got := connect("agent"); !strings.HasPrefix(got, want) {
				t.Errorf("connection %d: %q, want %q", i, got, want)
			}
		}
		if got := connect("other"); !strings.HasPrefix(got, "200") {
			t.Errorf("another client's connection: %q, want 200", got)
		}
		for _, conn := range open {
			conn.Close()
		}
		waitFor(t, func() bool { return strings.HasPrefix(connect("agent"), "200") }, "the end of a connection")
	})

	t.Run("requests a minute", func(t *testing.T) {
		w := limited(policy.Limits{RequestsPerMinute: 6})
		attacker := w.as(t, "agent", secrets["agent"])
		expect(w, attacker, "GET", widgets, "", "200")
		expect(w, attacker, "GET", widgets, "", "429 client agent is limited to 6 requests a minute"+wait+"requests_per_minute")
		expect(w, w.as(t, "other", secrets["other"]), "GET", widgets, "", "200")
		resp := with(t, attacker, "", "GET", "https://"+widgets, "")
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 10 {
			t.Errorf("Retry-After: %q, want 1 to 10", resp.Header.Get("Retry-After"))
		}
	})

	t.Run("bodies", func(t *testing.T) {
		w := limited(policy.Limits{MaxBody: 1000})
		const (
			large  = "413 client agent may send bodies of 1000 bytes at most; send less, or raise client.agent.max_body"
			issues = "/repos/acme/widgets/issues"
		)
		body := `{"title":"` + strings.Repeat("x", 1200) + `"}`
		gzipped := "Content-Encoding: gzip\r\n"
		for _, test := range []struct{ host, path, fields, body, want string }{
			{"api.github.com", issues, "", body, large},
			{"api.github.com", issues, "Transfer-Encoding: chunked\r\n", chunked(body), large},
			{"api.github.com", issues, "Transfer-Encoding: chunked\r\n", chunked(strings.Split(body, "")...), large},
			{"api.github.com", "/graphql", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", chunked(body), large},
			{"github.com", "/acme/widgets/git-receive-pack", "Transfer-Encoding: chunked\r\n", chunked(commands("", strings.Repeat(oldID, 2)+body)), large},
			{"github.com", "/acme/widgets/git-receive-pack", gzipped, zip(t, strings.Repeat("\x00", 1<<20)) + strings.Repeat("x", 1000), large},
			{"api.github.com", issues, "Transfer-Encoding: chunked\r\n", chunked(`{"title":"x"}`), "201"},
		} {
			conn := w.interceptedAs(t, "agent", test.host)
			text := "POST " + test.path + " HTTP/1.1\r\nHost: " + test.host + "\r\nUser-Agent: x\r\n" + test.fields
			if !strings.Contains(test.fields, "chunked") {
				text += fmt.Sprintf("Content-Length: %d\r\n", len(test.body))
			}
			if got := w.answerOf(t, conn, text+"\r\n"+test.body); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s %q: %q, want %q", test.path, test.fields, got, test.want)
			}
		}
	})

	t.Run("age", func(t *testing.T) {
		w := limited(policy.Limits{MaxConnectionAge: 50 * time.Millisecond})
		conn := w.interceptedAs(t, "agent", "api.github.com")
		time.Sleep(60 * time.Millisecond)
		for _, want := range []string{"200", "closed"} {
			if got := w.answerOf(t, conn, spell("api.github.com", "GET /repos/acme/widgets")); got != want {
				t.Errorf("a request after the connection's age: %q, want %q", got, want)
			}
		}
	})

	t.Run("look-ups", func(t *testing.T) {
		w := exchanging(t, known(t, secrets, func(agent *policy.Client) { agent.Deny, agent.Limits = nil, policy.Limits{LookupsPerMinute: 2} }))
		attacker := w.as(t, "agent", secrets["agent"])
		expect(w, attacker, "GET", "api.github.com/repositories/55555", "", byNumber) // each App is asked
		w.github.Reset()
		const asked = "429 client agent is limited to 2 look-ups a minute" + wait + "lookups_per_minute"
		expect(w, attacker, "GET", "api.github.com/repositories/66666", "", asked)
		expect(w, attacker, "GET", "api.github.com/organizations/66666/repos", "", asked)
		expect(w, attacker, "POST", "api.github.com/app/installations/66666/access_tokens", "", asked)
		expect(w, attacker, "POST", "api.github.com/app/installations/333/access_tokens", "", asked)
		if requests := w.github.Requests(); len(requests) > 0 {
			t.Errorf("GitHub was asked %v", requests)
		}
		expect(w, attacker, "GET", widgets, "", "200")
		expect(w, w.as(t, "other", secrets["other"]), "GET", "api.github.com/repos/globex/tools", "", "200")
	})
}
