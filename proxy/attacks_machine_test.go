package proxy_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"ghapp-proxy/policy"
)

// TestAttackMachine: what the proxy's own machine has at its other ports, by
// every name and address of it, where much is allowed that is not meant for that.
func TestAttackMachine(t *testing.T) {
	s := startSink(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(s.addr)
	w := compromise(t, func(set *setup, _ *policy.Client) {
		set.upstream.Egress = egress(t, false, "*:"+port+" localhost:"+port+" 10.0.0.0/8:"+port, "")
		// By mistake: these have no private address.
		set.upstream.Egress.AllowPrivate = egress(t, false, "localhost:"+port+" localhost.localdomain:"+port, "").Allow
	})
	hosts := []string{
		"x.localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6", "localhost4",
		"ip6-localhost", "ip6-loopback", "IP6-Localhost.", "ipv6-localhost", "broadcasthost", "host.docker.internal", "gateway.docker.internal",
		"host.containers.internal", "host.lima.internal", "metadata.google.internal",
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[::127.0.0.1]", "[2002:7f00:1::]",
		"127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "127.0.0.1.", "[fe80::1%25lo]", "[::1%25lo]",
	}
	if hasLocalhost(t) {
		hosts = append(hosts, "localhost", "LOCALHOST", "localhost.")
	}
	for _, host := range hosts {
		for _, what := range []string{"a tunnel", "http"} {
			status := 0
			if what == "a tunnel" {
				_, resp := w.connect(t, host+":"+port)
				status = resp.StatusCode
			} else {
				conn := w.dial(t)
				answer := w.answerOf(t, conn, "GET http://"+host+":"+port+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				conn.Close()
				switch answer[:min(3, len(answer))] {
				case "403":
					status = http.StatusForbidden
				case "400":
					status = http.StatusBadRequest
				}
			}
			if status != http.StatusForbidden && status != http.StatusBadRequest {
				t.Errorf("%s to %s:%s: %d, want 403 or 400", what, host, port, status)
			}
		}
	}
	if got := s.all(); len(got) > 0 {
		t.Errorf("%d connections arrived: %q", len(got), got)
	}
}

// TestAttackFromPages: web pages that a browser behind the proxy has opened. What
// arrives has no credential, whatever is granted.
func TestAttackFromPages(t *testing.T) {
	w := compromise(t, func(s *setup, _ *policy.Client) { s.options.Rules.Exchange = true })
	for _, page := range []string{
		"Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
		"Origin: https://github.com.evil.example\nSec-Fetch-Site: same-origin", "Origin: https://pages.github.com\nSec-Fetch-Site: same-site",
	} {
		for _, request := range []string{
			"GET /repos/acme/widgets", "GET /repos/acme/widgets/contents/README.md", "POST /repos/acme/widgets/issues\n\n" + `{"title":"x"}`,
			"POST /graphql\nContent-Type: application/json\n\n" + `{"query":"{repository(owner:\"acme\",name:\"widgets\"){isPrivate}}"}`,
			"GET /repos/acme/widgets/installation", "POST /app/installations/111/access_tokens",
		} {
			head, body, _ := strings.Cut(request, "\n\n")
			attempt := head + "\n" + page
			if body != "" {
				attempt += "\n\n" + body
			}
			conn := w.intercepted(t, "api.github.com", nil)
			if got := w.answerOf(t, conn, spell("api.github.com", attempt)); !strings.HasPrefix(got, "40") {
				t.Errorf("%q: %.200s, want a refusal", attempt, got)
			}
			conn.Close()
		}
	}
	// A page of http:// can have a script from http://, of which browsers say nothing.
	for _, query := range []string{
		"callback=steal", "callback", "x=1&callback=steal", "callback=a&callback=b", "%63allback=steal", "x;callback=steal", "callback[]=steal", "Callback=steal", "+callback=steal",
	} {
		conn := w.dial(t)
		if got := w.answerOf(t, conn, "GET http://api.github.com/repos/acme/widgets?"+query+" HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: Mozilla/5.0\r\n\r\n"); !strings.HasPrefix(got, "40") {
			t.Errorf("?%s: %.200s, want a refusal", query, got)
		}
		conn.Close()
	}
	for _, r := range w.github.Requests() {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s left with a credential", r.Method, r.Path())
		}
	}
}
