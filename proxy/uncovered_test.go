package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"ghapp-proxy/event"
	"ghapp-proxy/github"
)

// What leaves with less than it needed, and fails or is half an answer for it,
// says so: to the tool in Proxy-Status, to those who run the proxy in the log,
// and to whom Options.Uncovered tells. What a stranger may see says nothing.
func TestUncovered(t *testing.T) {
	const (
		api      = "https://api.github.com"
		query    = `{"query":"query($o:String!,$n:String!){repository(owner:$o,name:$n){name}}","variables":{"o":"octocat","n":%q}}`
		both     = `{"query":"{a:repository(owner:\"acme\",name:\"widgets\"){name} b:repository(owner:\"octocat\",name:\"hello-world\"){name}}"}`
		public   = "/repos/octocat/hello-world"
		missing  = "/repos/octocat/secret"
		covered  = "/repos/acme/none"
		graphql  = "/graphql"
		twoOwner = "/search/issues?q=repo:acme/widgets+repo:octocat/hello-world"
	)
	for _, test := range []struct {
		name           string
		fallback       int64 // the default installation
		method, target string
		body, want     string // of the details, "" for none
	}{
		{"a public repository", 0, "GET", api + public, "", ""},
		{"a private one of a stranger", 0, "GET", api + missing, "", "left without a credential: no installation on github.com covers octocat/secret"},
		{"a private one, with a default", 111, "GET", api + missing, "", "left as installation 111 of App ci-bot, the default: no installation on github.com covers octocat/secret"},
		{"a clone", 0, "GET", "https://github.com/octocat/secret.git/info/refs?service=git-upload-pack", "", "octocat/secret does not exist or is private, and no installation covers it"},
		{"a missing one of an owner with an App", 0, "GET", api + covered, "", ""},
		{"nobody's", 0, "GET", api + "/installation/repositories", "", "the request names no owner"},
		{"GraphQL, found", 111, "POST", api + graphql, fmt.Sprintf(query, "hello-world"), ""},
		{"GraphQL, not found", 111, "POST", api + graphql, fmt.Sprintf(query, "secret"), "covers octocat/secret"},
		{"GraphQL about two owners", 111, "POST", api + graphql, both, "and others, and no installation on github.com covers them all"},
		{"a search in two owners", 0, "GET", api + twoOwner, "", "and others, and no installation on github.com covers them all"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var mu sync.Mutex
			var told []*event.Event
			w := start(t, func(s *setup) {
				s.apps[0].DefaultInstallation = github.InstallationID(test.fallback)
				s.options.Events = append(s.options.Events, func(e *event.Event) {
					mu.Lock()
					defer mu.Unlock()
					if e.Uncovered != nil {
						told = append(told, e)
					}
				})
			})
			req, err := http.NewRequest(test.method, test.target, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := w.client(t, false).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(resp.Header["Proxy-Status"], ", ")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("status %d, Proxy-Status %q, want %q; %s", resp.StatusCode, got, test.want, text)
			}
			w.eventually(t, "the line in the log", func() bool { return strings.Contains(w.log.String(), "msg=request") })
			end := w.proxy.Shutdown(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if end != nil {
				t.Error(end)
			}
			if (len(told) == 1) != (test.want != "") || len(told) > 1 {
				t.Errorf("told: %+v", told)
			}
			if logged := strings.Contains(w.log.String(), "uncovered="); logged != (test.want != "") {
				t.Errorf("the log: %s", w.log)
			}
		})
	}
}
