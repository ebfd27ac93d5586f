package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
)

// No cache on the way keeps what the proxy answers by itself: it is about who
// asked, and about now.
func TestOwnAnswersAreNotStored(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Rules.Exchange = true
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Secret: policy.HashSecret(agentSecret), Repositories: repositories(t, "acme/widgets")},
			&policy.Client{Name: "bot", Secret: policy.HashSecret(agentSecret)})
	})
	agent, bot := w.clientAs(t, "agent", agentSecret, false), w.clientAs(t, "bot", agentSecret, false)
	for _, test := range []struct {
		client            *http.Client
		method, url, form string // of the answer
		status            int
	}{
		{agent, "GET", "https://api.github.com/repos/acme/rockets", "application/json", 403},
		{agent, "GET", "https://github.com/acme/rockets/info/refs?service=git-upload-pack", "text/plain", 403},
		{agent, "POST", "https://github.com/acme/rockets.git/info/lfs/objects/batch", "application/vnd.git-lfs+json", 403},
		{agent, "GET", "http://api.github.com/repos/acme/rockets", "application/json", 403},
		{w.client(t, false), "GET", "http://api.github.com/repos/acme/widgets", "application/json", 407},
		{bot, "POST", "https://api.github.com/app/installations/111/access_tokens", "application/json", 201},
	} {
		req, err := http.NewRequest(test.method, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := test.client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.url, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), test.form) || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %d %v, want %d and no-store\n%s", test.method, test.url, resp.StatusCode, resp.Header, test.status, body)
		}
	}
}

// TestOwnAnswersHaveALength: of what the proxy answers by itself the client can
// tell that it is complete.
func TestOwnAnswersHaveALength(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Rules.Exchange = true
		s.options.Clients = clients(t, &policy.Client{
			Name: "agent", Secret: policy.HashSecret(agentSecret), Repositories: repositories(t, "acme/widgets"), Push: refs(t, "refs/heads/agent/**"),
		}, &policy.Client{Name: "bot", Secret: policy.HashSecret(agentSecret)})
	})
	push := list("refs/heads/main", "report-status", "PACK")
	for _, h2 := range []bool{false, true} {
		agent, bot := w.clientAs(t, "agent", agentSecret, h2), w.clientAs(t, "bot", agentSecret, h2)
		for _, test := range []struct {
			client            *http.Client
			method, url, body string
			status            int
		}{
			{agent, "GET", "https://api.github.com/repos/acme/rockets", "", 403},
			{agent, "HEAD", "https://api.github.com/repos/acme/rockets", "", 403},
			{agent, "GET", "https://github.com/acme/rockets/info/refs?service=git-upload-pack", "", 403},
			{agent, "POST", "https://github.com/acme/widgets/git-receive-pack", push, 200},
			{bot, "POST", "https://api.github.com/app/installations/111/access_tokens", "", 201},
			{http.DefaultClient, "GET", "http://" + w.addr + "/ca.pem", "", 200},
		} {
			req, err := http.NewRequest(test.method, test.url, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := test.client.Do(req)
			if err != nil {
				t.Errorf("h2 %v, %s %s: %v", h2, test.method, test.url, err)
				continue
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			// That of HEAD is the length of GET's.
			if resp.StatusCode != test.status || err != nil || resp.ContentLength < 10 || test.method != "HEAD" && resp.ContentLength != int64(len(body)) {
				t.Errorf("h2 %v, %s %s: %d of length %d, %q, %v; want %d", h2, test.method, test.url, resp.StatusCode, resp.ContentLength, body, err, test.status)
			}
		}
	}
}

// A query may hold secrets: it is in no log, whatever becomes of its request.
func TestQueriesAreNotLogged(t *testing.T) {
	const canary = "CANARY-QUERY"
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Secret: policy.HashSecret(agentSecret), Repositories: repositories(t, "acme/widgets")})
		s.upstream.ConnectTo["example.com:80"] = "127.0.0.1:1" // nobody is there
	})
	known, unknown := w.clientAs(t, "agent", agentSecret, false), w.client(t, false)
	multiplexed := w.clientAs(t, "agent", agentSecret, true)
	for client, urls := range map[*http.Client][]string{
		known: {
			"https://api.github.com/repos/acme/widgets?x=" + canary, "https://api.github.com/repos/acme/rockets?x=" + canary,
			"https://api.github.com/%zz?x=" + canary, "https://github.com/acme/widgets/info/refs?service=git-upload-pack&x=" + canary,
			"http://api.github.com/repos/acme/widgets?x=" + canary, "http://example.com/?x=" + canary, "http://api.github.com:81/?x=" + canary,
		},
		multiplexed: {"https://api.github.com/repos/acme/widgets?x=" + canary, "https://api.github.com/repos/acme/rockets?x=" + canary},
		unknown:     {"http://api.github.com/repos/acme/widgets?x=" + canary, "http://example.com/?x=" + canary},
	} {
		for _, url := range urls {
			req, err := http.NewRequest("GET", "https://api.github.com/", nil)
			if err != nil {
				t.Fatal(err)
			}
			scheme, rest, _ := strings.Cut(url, "://")
			host, target, _ := strings.Cut(rest, "/")
			req.URL.Scheme, req.URL.Host, req.Host = scheme, host, host
			path, query, _ := strings.Cut("/"+target, "?")
			req.URL.Opaque, req.URL.RawQuery = path, query
			if scheme == "http" {
				req.URL.Opaque = "//" + host + path
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Errorf("%s: %v", url, err)
				continue
			}
			resp.Body.Close()
		}
	}
	w.eventually(t, "eight records", func() bool { return len(w.records(t)) == 8 })
	for name, text := range map[string]string{"log": w.log.String(), "audit log": w.auditText()} {
		if strings.Contains(text, canary) {
			t.Errorf("the %s has a query:\n%s", name, text)
		}
	}
}

// A client that is limited to an App does not act as another one, by its client
// secret neither.
func TestOtherAppIsRefused(t *testing.T) {
	w := start(t, func(s *setup) {
		for i, slug := range []string{"ci-bot", "release-bot"} {
			fake := s.github.App(slug)
			s.apps[i].ClientID, s.apps[i].ClientSecret = fake.ClientID, auth.Secret(fake.ClientSecret)
		}
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Secret: policy.HashSecret(agentSecret), Apps: []string{"release-bot"}, JWT: true})
	})
	client := w.clientAs(t, "agent", agentSecret, false)
	for id, want := range map[string]int{githubtest.CIBotClientID: 403, githubtest.ReleaseBotClientID: 404} {
		req, err := http.NewRequest("DELETE", "https://api.github.com/applications/"+id+"/token", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || want == 403 && !strings.Contains(string(body), "client.agent.apps") {
			t.Errorf("as the App %s: %d %s, want %d", id, resp.StatusCode, body, want)
		}
	}
	for _, r := range w.github.Requests() {
		if strings.Contains(r.Path(), githubtest.CIBotClientID) {
			t.Errorf("%v arrived", r)
		}
	}
}
