package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"ghapp-proxy/github/graphql"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/rules"
)

// post sends a body and returns the status and the answer.
func post(t testing.TB, client *http.Client, url, body string) (int, string) {
	t.Helper()
	resp, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// withoutMaps starts a world in which nothing is mapped: all is discovered.
func withoutMaps(t testing.TB, change func(*setup)) *world {
	return start(t, func(s *setup) {
		for _, app := range s.apps {
			app.Installations = nil
		}
		if change != nil {
			change(s)
		}
	})
}

func TestGraphQLOwner(t *testing.T) {
	w := withoutMaps(t, nil)
	client := w.client(t, true)
	for _, test := range []struct {
		query        string
		installation int64 // 0: refused
	}{
		{`{"query":"{ repository(owner: \"acme\", name: \"widgets\") { name } }"}`, 111},
		{`{"query":"query Q($o: String!) { repository(owner: $o, name: \"tools\") { name } }","variables":{"o":"globex"}}`, 222},
		{`{"query":"{ a: repository(owner: \"acme\", name: \"widgets\") { name } b: repository(owner: \"acme\", name: \"rockets\") { name } }"}`, 111},
		{`{"query":"{ a: repository(owner: \"acme\", name: \"widgets\") { name } b: repository(owner: \"globex\", name: \"tools\") { name } }"}`, 0},
		{`{"query":"{ viewer { login } }"}`, 0},
		{`not JSON`, 0},
		{`{"query":"{ search(query: \"repo:initech/paper\", type: ISSUE, first: 1) { issueCount } }"}`, 333},
	} {
		w.github.Reset()
		status, answer := post(t, client, "https://api.github.com/graphql", test.query)
		if test.installation == 0 {
			if status != 403 || !strings.Contains(answer, "ghapp-proxy: ") {
				t.Errorf("%s: %d %s, want a refusal", test.query, status, answer)
			}
			continue
		}
		got := w.last(t, "/graphql")
		if got.Installation != test.installation || string(got.Body) != test.query {
			t.Errorf("%s left with a token of installation %d, want %d; body %s", test.query, got.Installation, test.installation, got.Body)
		}
	}
}

// A node id is confirmed by GitHub before it is believed.
func TestNodeIDOwner(t *testing.T) {
	w := withoutMaps(t, nil)
	status, answer := post(t, w.client(t, false), "https://api.github.com/graphql",
		`{"query":"{ repository(owner: \"globex\", name: \"tools\") { id } }"}`)
	id := strings.TrimSuffix(answer[strings.Index(answer, `"id":"`)+6:], "\"}}}\n")
	if i := strings.IndexByte(id, '"'); i >= 0 {
		id = id[:i]
	}
	if status != 200 || !strings.HasPrefix(id, "R_") {
		t.Fatalf("%d %s", status, answer)
	}
	w.github.Reset()
	post(t, w.client(t, false), "https://api.github.com/graphql",
		fmt.Sprintf(`{"query":"mutation($id: ID!) { createIssue(input: {repositoryId: $id, title: \"t\"}) { issue { number } } }","variables":{"id":%q}}`, id))
	if got := w.last(t, "/graphql"); got.Installation != 222 {
		t.Errorf("createIssue left with a token of installation %d, want 222", got.Installation)
	}
	if w.last(t, "/repositories/9003/installation").Credential != githubtest.CredentialJWT {
		t.Error("the id was not confirmed")
	}
}

// What is larger than is read gets the fallback, and arrives whole.
func TestLargeGraphQL(t *testing.T) {
	w := start(t, func(s *setup) { s.apps[1].DefaultInstallation = 222 })
	body := `{"query":"{ repository(owner: \"acme\", name: \"widgets\") { name } } #` + strings.Repeat("x", graphql.MaxBody) + `"}`
	post(t, w.client(t, false), "https://api.github.com/graphql", body)
	if got := w.last(t, "/graphql"); got.Installation != 222 || got.BodySize != int64(len(body)) {
		t.Errorf("%d of %d bytes arrived, with a token of installation %d, want 222", got.BodySize, len(body), got.Installation)
	}
}

// Page two of a list names only an id: whose it is stood in page one's Link.
func TestPageTwo(t *testing.T) {
	w := withoutMaps(t, nil)
	client := w.client(t, false)
	resp, err := client.Get("https://api.github.com/repos/acme/widgets/issues?state=all&per_page=30")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	link := resp.Header.Get("Link")
	next, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !strings.HasPrefix(next, "https://api.github.com/repositories/9001/issues?") {
		t.Fatalf("Link: %s", link)
	}
	w.github.Reset()
	if status, body := get(t, client, next); status != 200 {
		t.Errorf("page two: %d %s", status, body)
	}
	if requests := w.github.Requests(); len(requests) != 1 || requests[0].Installation != 111 {
		t.Errorf("page two cost %v, want one request with a token of installation 111", requests)
	}
	// An id that was not learned is looked up.
	if status, body := get(t, client, "https://api.github.com/repositories/9003"); status != 200 || !strings.Contains(body, `"globex/tools"`) {
		t.Errorf("repository 9003: %d %s", status, body)
	}
}

// Links elsewhere, and in answers that do not name the owner, teach nothing.
func TestForeignLinks(t *testing.T) {
	w := withoutMaps(t, nil)
	client := w.client(t, false)
	link := `<https://api.github.com/repositories/9003/issues?page=2>; rel="next"`
	for path, header := range map[string]string{
		"/repos/acme/widgets/labels":    `<https://evil.example/repositories/9003/labels?page=2>; rel="next"`,
		"/repos/octocat/hello-world":    link, // anonymous
		"/orgs/acme/repos":              link, // an account is no repository
		"/repos/acme/widgets/not-found": link,

		// A query that is echoed as it was sent.
		"/repos/acme/widgets/echo1":  `<https://api.github.com/repositories/9001/echo1?q=x>; rel="next", <https://api.github.com/repositories/9003/echo1?page=2>; rel="next"`,
		"/repos/acme/widgets/echo2":  `<https://api.github.com/repos/acme/widgets/echo2?q=x>; rel="next", <https://api.github.com/repositories/9003/echo2?page=2>; rel="next"`,
		"/repos/acme/widgets/echo3":  `<https://api.github.com/repositories/9001/echo3?q=<https://api.github.com/repositories/9003/echo3>; rel="next"`,
		"/repos/acme/widgets/echo4":  `<https://api.github.com/repositories/9003/echo4?q=">; rel="next"`,
		"/repos/acme/widgets/other":  link, // page two of another list
		"/repos/acme/widgets/rel1":   `<https://api.github.com/repositories/9003/rel1>; rel="canonical"`,
		"/repos/acme/widgets/rel2":   `<https://api.github.com/repositories/9003/rel2>; rel="x"; rel="next"`,
		"/repos/acme/widgets/rel3":   `<https://api.github.com/repositories/9003/rel3>`,
		"/repos/acme/widgets/param1": `<https://api.github.com/repositories/9003/param1>; rel="next"; x=" <y>`,
		"/repos/acme/widgets/param2": `<https://api.github.com/repositories/9003/param2>; rel="next" x`,
		"/repos/acme/widgets/param3": `<https://api.github.com/repositories/9003/param3>; rel="ne\"xt"`,
		"/repos/acme/widgets/before": `x, <https://api.github.com/repositories/9003/before>; rel="next"`,
	} {
		w.github.Handle("api.github.com", path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", header)
			if strings.HasSuffix(path, "not-found") {
				w.WriteHeader(http.StatusNotFound)
			}
		}))
		get(t, client, "https://api.github.com"+path)
	}
	w.github.Reset()
	get(t, client, "https://api.github.com/repositories/9003")
	for _, got := range w.github.Requests() { // a wrong one might be mended
		if got.Path() == "/repositories/9003" && got.Installation != 222 {
			t.Errorf("repository 9003 left with a token of installation %d, want 222", got.Installation)
		}
	}
}

// After a transfer the id is resolved anew.
func TestTransfer(t *testing.T) {
	w := withoutMaps(t, nil)
	client := w.client(t, false)
	get(t, client, "https://api.github.com/repos/acme/rockets/issues")
	get(t, client, "https://api.github.com/repositories/9002")
	if got := w.last(t, "/repositories/9002"); got.Installation != 111 {
		t.Fatalf("before the transfer: installation %d, want 111", got.Installation)
	}
	if err := w.github.Rename("acme", "rockets", "globex", "rockets"); err != nil {
		t.Fatal(err)
	}
	w.github.Handle("api.github.com", "/repos/acme/rockets", http.RedirectHandler("https://api.github.com/repositories/9002", http.StatusMovedPermanently))
	resp, err := client.Get("https://api.github.com/repos/acme/rockets")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 301 {
		t.Fatalf("%s, want 301", resp.Status)
	}
	if status, body := get(t, client, resp.Header.Get("Location")); status != 200 || !strings.Contains(body, "globex/rockets") {
		t.Errorf("after the transfer: %d %s", status, body)
	}
	if got := w.last(t, "/repositories/9002"); got.Installation != 222 {
		t.Errorf("after the transfer: installation %d, want 222", got.Installation)
	}
}

func TestSearchOwner(t *testing.T) {
	w := withoutMaps(t, nil)
	client := w.client(t, false)
	for query, want := range map[string]int64{
		"q=repo:acme/widgets+is:issue":             111,
		"q=org%3Aglobex":                           222,
		"q=repo:acme/widgets+repo:globex/tools":    0, // anonymous
		"q=is:issue":                               0,
		"q=repo:acme/widgets+org:acme&per_page=10": 111,
	} {
		w.github.Reset()
		get(t, client, "https://api.github.com/search/issues?"+query)
		if got := w.last(t, "/search/issues"); got.Installation != want {
			t.Errorf("%s left with a token of installation %d, want %d", query, got.Installation, want)
		}
	}
}

func TestDefaultOwner(t *testing.T) {
	w := start(t, func(s *setup) { s.options.DefaultOwner = "globex" })
	for path, want := range map[string]int64{"/rate_limit": 222, "/installation/repositories": 222, "/repos/acme/widgets": 111} {
		get(t, w.client(t, false), "https://api.github.com"+path)
		if got := w.last(t, path); got.Installation != want {
			t.Errorf("%s left with a token of installation %d, want %d", path, got.Installation, want)
		}
	}
}

// GitHub's refusal of what only users may do passes, with the reason beside it.
func TestUserOnly(t *testing.T) {
	w := start(t, func(s *setup) { s.options.DefaultOwner = "acme" })
	resp, err := w.client(t, false).Get("https://api.github.com/user")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 403 || strings.Contains(string(body), "ghapp-proxy") || resp.Header.Get("X-Github-Request-Id") == "" {
		t.Errorf("%s %s, want GitHub's own answer", resp.Status, body)
	}
	if got := resp.Header.Get("Proxy-Status"); !strings.Contains(got, "users/get-authenticated to users only") {
		t.Errorf("Proxy-Status: %s", got)
	}
}

// TestRateLimitSaysWhose: several installations may serve one client.
func TestRateLimitSaysWhose(t *testing.T) {
	w := start(t, func(s *setup) { s.options.DefaultOwner = "globex" })
	resp, err := w.client(t, false).Get("https://api.github.com/rate_limit")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	const want = `ghapp-proxy; details="the limits of installation 222 of App release-bot"; request-id=`
	if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != 200 || !strings.HasPrefix(got, want) {
		t.Errorf("%s with Proxy-Status %s, want %s", resp.Status, got, want)
	}
}

func TestOwnRules(t *testing.T) {
	issues, err := rules.ParsePattern("/repos/{owner}/{repo}/issues/**")
	if err != nil {
		t.Fatal(err)
	}
	rockets, err := rules.ParseRepositoryGlob("acme/rockets")
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{
			{Repositories: []rules.Glob{rockets}, Deny: "rockets are off limits"},
			{Operations: []string{"apps/create-installation-access-token"}, Auth: rules.JWT},
			{Operations: []string{"meta/get-octocat"}, Auth: rules.Keep},
			{Operations: []string{"meta/get-zen"}, Auth: rules.None},
			{Operations: []string{"rate-limit/get"}, Auth: rules.Installation, App: "release-bot", InstallationID: 222},
			{Paths: []rules.Pattern{issues}, Auth: rules.Installation,
				Narrow: narrowed(t, []string{"widgets"}, map[string]string{"issues": "read"})},
		}
	})
	client := w.client(t, false)
	send := func(method, path string) *githubtest.Request {
		t.Helper()
		req, err := http.NewRequest(method, "https://api.github.com"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "token own")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return w.last(t, path)
	}
	if status, body := get(t, client, "https://api.github.com/repos/acme/rockets"); status != 403 || !strings.Contains(body, "rule[1] denies this: rockets are off limits") {
		t.Errorf("denied: %d %s", status, body)
	}
	if got := send("POST", "/app/installations/111/access_tokens"); got.Credential != githubtest.CredentialJWT || got.Status != 201 {
		t.Errorf("minting, which a rule means: %v", got)
	}
	if got := send("GET", "/octocat"); got.Authorization() != "token own" {
		t.Errorf("keep: %v", got)
	}
	if got := send("GET", "/zen"); got.Credential != githubtest.CredentialNone {
		t.Errorf("none: %v", got)
	}
	if got := send("GET", "/rate_limit"); got.Installation != 222 {
		t.Errorf("App and installation: %v", got)
	}
	if got := send("GET", "/repos/acme/widgets/issues"); got.Scope == nil || len(got.Scope.Repositories) != 1 {
		t.Errorf("narrowed: %v, scope %+v", got, got.Scope)
	}
}

// A rule about an owner or a repository holds however a request names it, and a
// request that does not say so that it can be read is refused.
func TestRulesSeeThroughIDs(t *testing.T) {
	glob := func(parse func(string) (rules.Glob, error), s string) []rules.Glob {
		g, err := parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []rules.Glob{g}
	}
	w := start(t, func(s *setup) {
		s.apps[0].DefaultInstallation = 111
		s.options.Rules.Rules = []rules.Rule{
			{Owners: glob(rules.ParseOwnerGlob, "globex"), Deny: "not globex"},
			{Operations: []string{"graphql/createIssue"}, Deny: "no issues"},
			{Repositories: glob(rules.ParseRepositoryGlob, "acme/widgets"), Auth: rules.Installation,
				Narrow: narrowed(t, nil, map[string]string{"issues": "read", "metadata": "read"})},
		}
	})
	client := w.client(t, false)
	// Narrowed by name and by id alike; page two of a list as well.
	for _, path := range []string{"/repos/acme/widgets/issues", "/repositories/9001/issues"} {
		if status, body := post(t, client, "https://api.github.com"+path, `{"title":"x"}`); status != 403 {
			t.Errorf("POST %s with a token that may only read: %d %s", path, status, body)
		}
		if status, _ := get(t, client, "https://api.github.com"+path); status != 200 {
			t.Errorf("GET %s: %d", path, status)
		}
		if got := w.last(t, path); got.Scope == nil || len(got.Scope.Permissions) != 2 {
			t.Errorf("%s left with the scope %+v", path, got.Scope)
		}
	}
	if status, body := get(t, client, "https://api.github.com/repositories/9003"); status != 403 || !strings.Contains(body, "not globex") {
		t.Errorf("globex by id: %d %s", status, body)
	}
	if status, body := get(t, client, "https://api.github.com/repositories/12345"); status != 403 || !strings.Contains(body, "so that it can be told") {
		t.Errorf("nobody's id: %d %s", status, body)
	}
	const query = `{"query":"{ repository(owner: \"globex\", name: \"tools\") { name } }"}`
	for name, body := range map[string]string{
		"plain":    query,
		"padded":   query + strings.Repeat(" ", graphql.MaxBody),
		"more":     strings.Replace(query, "{", `{"x":1,`, 1),
		"no JSON":  "x",
		"mutation": `{"query":"mutation { a: createIssue(input: {repositoryId: \"x\", title: \"t\"}) { clientMutationId } }"}`,
	} {
		if status, answer := post(t, client, "https://api.github.com/graphql", body); status != 403 || !strings.Contains(answer, "ghapp-proxy: rule[") {
			t.Errorf("%s: %d %s, want a rule's refusal", name, status, answer)
		}
	}
	if status, answer := post(t, client, "https://api.github.com/graphql?query=x", `{"query":"{ viewer { login } }"}`); status != 403 || !strings.Contains(answer, "ghapp-proxy: rule[") {
		t.Errorf("with a query string: %d %s, want a rule's refusal", status, answer)
	}
	if status, body := get(t, client, "https://api.github.com/search/issues?q=repo:acme/widgets&q=repo:globex/tools"); status != 403 || !strings.Contains(body, "ghapp-proxy: rule[") {
		t.Errorf("a search with two q: %d %s, want a rule's refusal", status, body)
	}
	for _, r := range w.github.Requests() {
		if r.Installation == 222 && r.Path() != "/repositories/9003" { // to find its name
			t.Errorf("%v left", r)
		}
	}
}

// What a rule chose for one request is not learned for others.
func TestRulesTeachNothing(t *testing.T) {
	w := withoutMaps(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{{Operations: []string{"issues/list-for-repo"}, Methods: []string{"GET"}, Auth: rules.Installation, App: "ci-bot", InstallationID: 333}}
	})
	w.github.Handle("api.github.com", "/repos/acme/widgets/issues", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `<https://api.github.com/repositories/9001/issues?page=2>; rel="next"`)
	}))
	client := w.client(t, false)
	get(t, client, "https://api.github.com/repos/acme/widgets/issues")
	if got := w.last(t, "/repos/acme/widgets/issues"); got.Installation != 333 {
		t.Fatalf("the rule chose installation %d, want 333", got.Installation)
	}
	get(t, client, "https://api.github.com/repositories/9001")
	if got := w.last(t, "/repositories/9001"); got.Installation != 111 {
		t.Errorf("by id: installation %d, want 111", got.Installation)
	}
}

// Many repositories of one owner are no reason to ask or to refuse.
func TestManyAliases(t *testing.T) {
	w := start(t, nil)
	var query strings.Builder
	for i := range 60 {
		fmt.Fprintf(&query, `r%d: repository(owner: \"acme\", name: \"r%d\") { id } `, i, i)
	}
	if status, body := post(t, w.client(t, false), "https://api.github.com/graphql", `{"query":"{ `+query.String()+`}"}`); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	// A mint, the query, whose the installation is, and whether there is a first one
	// that a token of a moment ago does not show.
	if n := len(w.github.Requests()); n > 4 {
		t.Errorf("%d requests left, want 4 at most", n)
	}
}
