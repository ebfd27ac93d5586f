package policy_test

import (
	"net/url"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// judge asks a client what it may do: allow("GET /repos/acme/widgets"). A
// request is METHOD and a URL or a path of the API; after a space, a body for
// GraphQL may follow.
type judge struct {
	t      *testing.T
	client *policy.Client
	rules  rules.Set
	names  map[int64]github.Account // those that a proxy would find for ids
}

func (j *judge) decide(request string) *policy.Denial {
	j.t.Helper()
	parts := strings.SplitN(request, " ", 3)
	target := parts[1]
	if strings.HasPrefix(target, "/") {
		target = "https://api.github.com" + target
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(target, "https://"), "/")
	path, query, _ := strings.Cut(path, "?")
	req := rules.Request{Method: parts[0], Host: hostOf(j.t, host), Path: "/" + path, Query: query, Client: j.client.Name}
	route, err := rules.Classify(req)
	if err != nil {
		j.t.Fatalf("Classify(%q) = %v", request, err)
	}
	var document *graphql.Document
	if len(parts) == 3 {
		if doc, err := graphql.Read([]byte(parts[2])); err == nil {
			document = &doc
		}
	}
	if route.Operation == "graphql" && req.Method == "POST" {
		route.SetDocument(document)
	}
	if name, ok := j.names[route.Subject.RepositoryID]; ok && route.Subject.RepositoryID != 0 {
		route.Subject = name
	}
	j.rules.Decide(req, &route)
	if route.Refused != "" {
		j.t.Fatalf("Decide(%q) by the rules = %v", request, route.Refused)
	}
	return j.client.Decide(req, &route, document)
}

func hostOf(t *testing.T, name string) github.Host {
	t.Helper()
	for _, host := range append(github.GitHubCom.Hosts(), github.Instance("ghe.example.com").Hosts()...) {
		if host.Name == name {
			return host
		}
	}
	t.Fatalf("no served host %q", name)
	return github.Host{}
}

func (j *judge) allow(requests ...string) {
	j.t.Helper()
	for _, request := range requests {
		if denial := j.decide(request); denial != nil {
			j.t.Errorf("Decide(%q) = %v, want nil", request, denial)
		}
	}
}

// deny expects a denial by a key of the client's, "" for its table.
func (j *judge) deny(key string, requests ...string) {
	j.t.Helper()
	want := strings.TrimSuffix("client."+j.client.Name+"."+key, ".")
	for _, request := range requests {
		denial := j.decide(request)
		if denial == nil {
			j.t.Errorf("Decide(%q) = nil, want a denial by %s", request, want)
			continue
		}
		if denial.Key != want || denial.Client != j.client.Name || denial.Status != 403 || denial.Reason == "" {
			j.t.Errorf("Decide(%q) = %+v, want a denial by %s with a reason and status 403", request, *denial, want)
		}
	}
}

func of(t *testing.T, c policy.Client) *judge {
	t.Helper()
	c.Name = "agent"
	return &judge{t: t, client: &c}
}

func ops(t *testing.T, list ...string) (parsed []policy.Operation) {
	t.Helper()
	for _, s := range list {
		op, err := policy.ParseOperation(s)
		if err != nil {
			t.Fatalf("ParseOperation(%q) = %v", s, err)
		}
		parsed = append(parsed, op)
	}
	return parsed
}

func refs(t *testing.T, list ...string) (parsed []policy.RefPattern) {
	t.Helper()
	for _, s := range list {
		p, err := policy.ParseRefPattern(s)
		if err != nil {
			t.Fatalf("ParseRefPattern(%q) = %v", s, err)
		}
		parsed = append(parsed, p)
	}
	return parsed
}

// graphQL is a request to GraphQL.
func graphQL(document string) string {
	return `POST /graphql {"query":"` + strings.NewReplacer(`"`, `\"`, "\n", " ").Replace(document) + `"}`
}

func TestNoLimits(t *testing.T) {
	var nobody *policy.Client
	j := judge{t: t, client: &policy.Client{Name: "free", DefaultOwner: "acme"}}
	for _, request := range []string{
		"DELETE /repos/acme/widgets", "GET /app", graphQL(`mutation { deleteRef(input: {refId: "x"}) { clientMutationId } }`),
		"POST /graphql nonsense", "POST https://github.com/acme/widgets/git-receive-pack", "GET https://github.com/login",
	} {
		j.allow(request)
	}
	req := rules.Request{Method: "DELETE", Host: hostOf(t, "api.github.com"), Path: "/repos/acme/widgets"}
	route, err := rules.Classify(req)
	if err != nil {
		t.Fatal(err)
	}
	if d := nobody.Decide(req, &route, nil); d != nil {
		t.Errorf("nil.Decide = %v", d)
	}
	if d := nobody.DecideRef(policy.RefUpdate{Ref: "refs/heads/main"}); d != nil || nobody.LimitsRefs() || nobody.LooksAtNames() || nobody.Limited() {
		t.Errorf("nil.DecideRef = %v, LimitsRefs = %v", d, nobody.LimitsRefs())
	}
	if nobody.Scope() != nil || nobody.DecideHost("x") != nil || nobody.DecideApp("x") != nil || nobody.OwnerOr("acme") != "acme" {
		t.Error("a nil client has limits")
	}
	if d := nobody.DecideGraphQLRequest("GET", "x=1", nil); d != nil {
		t.Errorf("nil.DecideGraphQLRequest = %v", d)
	}
	if j.client.Scope() != nil || j.client.OwnerOr("octo") != "acme" {
		t.Errorf("free.Scope() = %v, OwnerOr = %q", j.client.Scope(), j.client.OwnerOr("octo"))
	}
}

func TestOwners(t *testing.T) {
	j := of(t, policy.Client{Owners: []rules.Glob{"acme", "octo-*", "enterprises/mega"}})
	j.names = map[int64]github.Account{7: {Login: "acme", Repo: "widgets"}, 8: {Login: "evil", Repo: "x"}}
	j.allow(
		"GET /repos/acme/widgets/issues", "GET /repos/ACME/widgets", "POST /orgs/octo-cat/repos", "GET /orgs/acme/hooks",
		"GET /repositories/7/issues", "GET /enterprises/mega/audit-log", "GET /search/code?q=x+org:acme",
		"GET https://raw.githubusercontent.com/acme/widgets/main/x", "GET https://codeload.github.com/acme/widgets/zip/main",
		"GET https://github.com/acme/widgets.git/info/refs?service=git-upload-pack",
		"POST https://github.com/acme/widgets.wiki.git/git-receive-pack",
		"POST https://uploads.github.com/repos/acme/widgets/releases/1/assets",
		graphQL(`{ repository(owner: "acme", name: "widgets") { id } organization(login: "octo-cat") { id } }`),
		graphQL(`{ repository(owner: "acme", name: "widgets") { id } user(login: "hubot") { id } }`), // a public profile beside
	)
	j.deny("owners",
		"GET /repos/evil/x", "GET /orgs/evil", "GET /orgs/enterprises", "GET /enterprises/acme/audit-log",
		"GET /repositories/8/issues", "GET /repositories/9/issues", "GET /organizations/9/repos", "GET /teams/9/members",
		"GET /rate_limit", "GET /search/code?q=x", "GET /search/code?q=org:acme&q=x", "GET /search/code?q=org:acme+repo:evil/x",
		"GET https://github.com/login", "GET https://github.com/evil/x/releases/download/v1/x.tgz", "GET https://github.com/evil/x.git/info/refs?service=git-upload-pack",
		graphQL(`{ viewer { login } }`), graphQL(`{ user(login: "hubot") { id } }`),
		graphQL(`{ repository(owner: "acme", name: "widgets") { id } organization(login: "evil") { id } }`),
		graphQL(`mutation { addComment(input: {subjectId: "unknown", body: "x"}) { clientMutationId } }`),
		"POST /graphql nonsense",
	)
	j.client.DefaultOwner = "acme"
	j.allow("GET /rate_limit", "GET /search/code?q=x", graphQL(`{ viewer { login } }`), "GET /installation/repositories")
	j.deny("owners", "GET /search/code?q=org:acme&q=x", "GET https://github.com/login", "GET /repositories/9/issues", "GET /teams/9/members")
}

func TestRepositories(t *testing.T) {
	j := of(t, policy.Client{Repositories: []rules.Glob{"acme/widgets", "octo/doc-*"}})
	j.allow(
		"GET /repos/acme/widgets/issues", "DELETE /repos/octo/doc-a", "GET /orgs/acme/repos", "GET /users/octo/repos", "GET /users/acme",
		"GET /search/issues?q=org:acme", "GET /search/issues?q=repo:acme/widgets",
		"POST https://github.com/acme/widgets.wiki.git/git-receive-pack",
		graphQL(`{ repositoryOwner(login: "acme") { repositories(first: 9) { nodes { name } } } }`),
		graphQL(`{ repository(owner: "acme", name: "widgets") { id } }`),
	)
	j.deny("repositories",
		"GET /repos/acme/secret", "GET /orgs/acme", "GET /orgs/acme/members", "GET /orgs/acme/actions/secrets", "POST /orgs/acme/repos",
		"GET /orgs/acme/packages", "GET /orgs/evil/repos", "GET /search/issues?q=repo:acme/secret", "GET /orgs/acme/teams/x/repos/acme/widgets",
		"POST /repos/acme/widgets/forks", "POST /repos/acme/widgets/generate", "POST /repos/acme/widgets/transfer",
		"POST /repos/acme/widgets/security-advisories/GHSA-1/forks",
		"GET /orgs/acme/never-heard-of", "GET /installation/repositories", "GET https://github.com/acme/widgets",
		"GET https://github.com/acme/secret.git/info/refs?service=git-upload-pack",
		graphQL(`mutation { createRepository(input: {ownerId: "x", name: "n"}) { clientMutationId } }`),
		graphQL(`mutation { addStar(input: {}) { clientMutationId } }`),
	)
	j.client.DefaultOwner = "acme"
	j.allow("GET /installation/repositories", "GET /rate_limit", "POST /markdown", graphQL(`{ viewer { login } }`))
	j.deny("repositories", "GET /user", "POST /gists", "GET /notifications", "GET /never/heard/of", "PUT /orgs/acme/repos",
		graphQL(`mutation { addStar(input: {}) { clientMutationId } }`))
	if !j.client.Grants("ACME") || j.client.Grants("evil") {
		t.Errorf("Grants(ACME) = %v, Grants(evil) = %v", j.client.Grants("ACME"), j.client.Grants("evil"))
	}
}

func TestReadOnly(t *testing.T) {
	j := of(t, policy.Client{ReadOnly: true})
	j.allow("GET /repos/acme/widgets", "HEAD /repos/acme/widgets", "POST /markdown", "POST /orgs/acme/attestations/bulk-list",
		"GET https://github.com/acme/widgets/info/refs?service=git-upload-pack", "POST https://github.com/acme/widgets/git-upload-pack",
		"POST https://github.com/acme/widgets.git/info/lfs/objects/batch", "GET https://github.com/acme/widgets.git/info/lfs/locks",
		graphQL(`{ viewer { login } }`))
	j.deny("read_only", "POST /repos/acme/widgets/issues", "PATCH /repos/acme/widgets", "OPTIONS /repos/acme/widgets", "POST /never/heard/of",
		"GET https://github.com/acme/widgets/info/refs?service=git-receive-pack", "POST https://github.com/acme/widgets/git-receive-pack",
		"POST https://github.com/acme/widgets.git/info/lfs/locks", "POST https://github.com/acme/widgets.git/info/lfs/locks/verify",
		graphQL(`mutation { addStar(input: {}) { clientMutationId } }`))
	j.deny("", "POST /graphql nonsense", "GET /graphql", graphQL(`{ repository(owner: "a", name: "b") { tempCloneToken } }`))
}

func TestCredentials(t *testing.T) {
	j := of(t, policy.Client{Owners: []rules.Glob{"acme"}})
	j.rules.JWTWrites = true
	j.deny("jwt", "GET /app", "GET /app/installations", "GET /repos/acme/widgets/installation", "DELETE /applications/Iv1/grant")
	j.client.JWT = true
	j.allow("GET /app", "GET /app/installations", "GET /app/installations/1", "GET /repos/acme/widgets/installation", "DELETE /applications/Iv1/grant")
	j.deny("owners", "GET /repos/evil/x/installation")
	j.client.ReadOnly = true
	j.deny("read_only", "DELETE /app/installations/1")

	// A credential that the client brings itself does not obey its limits.
	j.rules = rules.Set{Rules: []rules.Rule{{Auth: rules.Keep}}}
	j.deny("", "GET /repos/acme/widgets")
	j.rules.Rules[0].Clients = []string{"other", "agent"}
	j.allow("GET /repos/acme/widgets")
	j.deny("owners", "GET /repos/evil/x")
}

func TestAppsAndHosts(t *testing.T) {
	j := of(t, policy.Client{Apps: []string{"ci-bot"}, Hosts: []string{"api.github.com"}})
	j.allow("GET /repos/acme/widgets")
	j.deny("hosts", "GET https://github.com/acme/widgets/info/refs?service=git-upload-pack", "GET https://ghe.example.com/api/v3/meta")
	j.rules.Rules = []rules.Rule{{App: "release-bot", Auth: rules.Installation}}
	j.deny("apps", "GET /repos/acme/widgets")
	if d := j.client.DecideApp("ci-bot"); d != nil {
		t.Errorf("DecideApp(ci-bot) = %v", d)
	}
}

func TestGraphQL(t *testing.T) {
	read, comment := graphQL(`{ viewer { login } }`), graphQL(`mutation { addComment(input: {}) { clientMutationId } }`)
	both := graphQL(`mutation { __typename addComment(input: {}) { clientMutationId } mergePullRequest(input: {}) { clientMutationId } }`)
	t.Run("deny", func(t *testing.T) {
		of(t, policy.Client{GraphQL: policy.GraphQLDeny}).deny("graphql", read, comment, "POST /graphql nonsense", "GET /graphql", "POST https://ghe.example.com/api/graphql",
			"POST /graphql.json", "POST /graphql;x=1", "POST /graphql%20", "POST /%2567raphQL", "POST https://ghe.example.com/api/v3/graphql.json")
	})
	t.Run("read", func(t *testing.T) {
		j := of(t, policy.Client{GraphQL: policy.GraphQLRead})
		j.allow(read, "POST /repos/acme/widgets/issues")
		j.deny("graphql", comment)
		j.deny("", "POST /graphql nonsense")
	})
	t.Run("mutations", func(t *testing.T) {
		j := of(t, policy.Client{Mutations: []string{"addComment"}})
		j.allow(read, comment)
		j.deny("mutations", both, graphQL(`mutation { x: mergePullRequest(input: {}) { clientMutationId } }`))
	})
}

func TestDecideGraphQLRequest(t *testing.T) {
	limited := &policy.Client{Name: "agent", ReadOnly: true}
	header := func(lines ...string) map[string][]string {
		h := map[string][]string{}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			h[name] = append(h[name], value)
		}
		return h
	}
	for _, test := range []struct {
		method, query string
		header        map[string][]string
		want          bool
	}{
		{"POST", "", header("Content-Type: application/json"), true},
		{"POST", "", header("Content-Type: Application/JSON; charset=UTF-8"), true},
		{"POST", "", header("Content-Type: application/json; charset=utf-16"), false},
		{"POST", "", header("Content-Type: application/json; charset=utf-8; x=1"), false},
		{"POST", "", header("Content-Type: application/json; x=1"), false},
		{"POST", "", header("Content-Type: application/json", "Content-Type: text/plain"), false},
		{"POST", "", header("Content-Type: application/x-www-form-urlencoded"), false},
		{"POST", "", header("Content-Type: application/json; charset"), false},
		{"POST", "", header(), false},
		{"POST", "query={x}", header("Content-Type: application/json"), false},
		{"POST", "", header("Content-Type: application/json", "Content-Encoding: gzip"), false},
		{"GET", "", header("Content-Type: application/json"), false},
	} {
		if d := limited.DecideGraphQLRequest(test.method, test.query, test.header); (d == nil) != test.want {
			t.Errorf("DecideGraphQLRequest(%q, %q, %v) = %v, want nil: %v", test.method, test.query, test.header, d, test.want)
		}
	}
}

func TestDenialText(t *testing.T) {
	j := of(t, policy.Client{Deny: ops(t, "issues/list", "pulls/merge")})
	d := j.decide("PUT /repos/acme/widgets/pulls/1/merge")
	if d == nil || d.Error() != `client agent may not use "pulls/merge", which "pulls/merge" denies (client.agent.deny[2])` {
		t.Errorf("Decide = %v", d)
	}
}

func BenchmarkDecide(b *testing.B) {
	var parsed []policy.Operation
	for _, s := range []string{"admin", "credentials", "PUT /repos/{owner}/{repo}/pulls/{number}/merge"} {
		op, err := policy.ParseOperation(s)
		if err != nil {
			b.Fatal(err)
		}
		parsed = append(parsed, op)
	}
	branch, err := policy.ParseRefPattern("refs/heads/agent/**")
	if err != nil {
		b.Fatal(err)
	}
	client := &policy.Client{Name: "agent", Repositories: []rules.Glob{"acme/widgets", "acme/docs-*"}, Deny: parsed, Push: []policy.RefPattern{branch}}
	req := rules.Request{Method: "POST", Host: github.GitHubCom.Hosts()[1], Path: "/repos/acme/widgets/issues"}
	route, err := rules.Classify(req)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if d := client.Decide(req, &route, nil); d != nil {
			b.Fatal(d)
		}
	}
}

// Whatever the request, a client is let through only to whom it is granted.
func FuzzDecide(f *testing.F) {
	for _, seed := range []string{
		"/repos/acme/widgets/issues", "/repos/evil/x", "/repositories/7", "/search/code?q=org:evil", "/orgs/acme/repos", "/user/7/repos",
		"/repos/acme%2Fwidgets/x", "/repos/acme/widgets%2f..%2fx", "/installation/repositories", "/teams/1/repos/acme/widgets", "/app",
	} {
		f.Add("GET", seed)
		f.Add("POST", seed)
	}
	client := &policy.Client{Name: "agent", Repositories: []rules.Glob{"acme/widgets"}}
	f.Fuzz(func(t *testing.T, method, target string) {
		path, query, _ := strings.Cut(target, "?")
		req := rules.Request{Method: method, Host: github.GitHubCom.Hosts()[1], Path: path, Query: query}
		route, err := rules.Classify(req)
		if err != nil || client.Decide(req, &route, nil) != nil {
			return
		}
		if route.Credential == rules.JWT || !strings.EqualFold(route.Subject.Login, "acme") {
			t.Errorf("Decide(%s %q) lets a request about %+v through", method, target, route.Subject)
		}
		plain, err := url.PathUnescape(path)
		if err == nil && strings.EqualFold(route.Subject.Repo, "widgets") && !strings.Contains(strings.ToLower(plain), "acme/widgets") && query == "" {
			t.Errorf("Decide(%s %q) lets a request through that does not name the repository", method, target)
		}
	})
}
