package proxy_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/rules"
)

const mintPath = "/app/installations/%d/access_tokens"

// exchanging starts a world in which placeholders are given out.
func exchanging(t testing.TB, change func(*setup)) *world {
	t.Helper()
	return start(t, func(s *setup) {
		s.options.Rules.Exchange = true
		if change != nil {
			change(s)
		}
	})
}

// with sends a request with an Authorization.
func with(t testing.TB, client *http.Client, authorization, method, url, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// programJWT is what a program with a throw-away key sends.
func programJWT(iss string) string {
	part := base64.RawURLEncoding.EncodeToString
	return "bearer " + part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(fmt.Appendf(nil, `{"iss":%s,"iat":1,"exp":2}`, iss)) + "." + part([]byte("no signature"))
}

// issued is the answer to a request for a token.
type issued struct {
	Token        string
	ExpiresAt    time.Time `json:"expires_at"`
	Permissions  map[string]string
	Selection    string `json:"repository_selection"`
	Repositories []struct {
		ID       int64
		NodeID   string `json:"node_id"`
		FullName string `json:"full_name"`
	}
}

// exchange asks for a token of an installation.
func exchange(t testing.TB, client *http.Client, jwt string, installation int64, body string) issued {
	t.Helper()
	resp := with(t, client, jwt, "POST", "https://api.github.com"+fmt.Sprintf(mintPath, installation), body)
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer issued
	if resp.StatusCode != 201 || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || json.Unmarshal(text, &answer) != nil {
		t.Fatalf("a token of installation %d: %s %s", installation, resp.Status, text)
	}
	if strings.Contains(string(text), githubtest.Canary) || !strings.HasPrefix(answer.Token, "ghs_placeholder") {
		t.Fatalf("a token of installation %d contains a secret, or is no placeholder: %s", installation, text)
	}
	return answer
}

func TestExchange(t *testing.T) {
	w := exchanging(t, nil)
	client := w.client(t, true)
	got := exchange(t, client, programJWT(`"12345"`), 111, `{"repositories":["widgets"],"permissions":{"contents":"read","issues":"read"}}`)
	if left := time.Until(got.ExpiresAt); left > time.Hour || left < 59*time.Minute {
		t.Errorf("it expires in %v, want an hour", left)
	}
	if got.Permissions["contents"] != "read" || got.Permissions["metadata"] != "read" || got.Selection != "selected" ||
		len(got.Repositories) != 1 || got.Repositories[0].FullName != "acme/widgets" || got.Repositories[0].ID != githubtest.WidgetsID || got.Repositories[0].NodeID == "" {
		t.Errorf("the answer is %+v, want what GitHub granted", got)
	}
	if all := exchange(t, client, "", 111, ""); all.Selection != "all" || all.Repositories != nil || all.Permissions["contents"] != "write" {
		t.Errorf("without a body the answer is %+v, want all that the installation may do", all)
	}
	// GitHub was asked as the App, whose key the program has not.
	if r := w.last(t, fmt.Sprintf(mintPath, 111)); r.Credential != githubtest.CredentialJWT || r.App != githubtest.CIBotID {
		t.Errorf("minted by %v", r)
	}
	if mints := w.github.Mints(); mints != 2 {
		t.Errorf("%d tokens were minted, want 2", mints)
	}
	exchange(t, client, "", 111, `null`) // ghinstallation's
	exchange(t, client, "", 111, `{"repositories":null}`)
	if mints := w.github.Mints(); mints != 2 {
		t.Errorf("%d tokens were minted, want no more: they are cached", mints)
	}
	exchange(t, client, "", 111, `{"repository_ids":[9001]}`)
}

// What is empty beside what narrows is as if it was absent.
func TestExchangeEmpty(t *testing.T) {
	w := exchanging(t, nil)
	client := w.client(t, false)
	for _, test := range []struct {
		body, selection string
		mints           int
	}{
		{`{"permissions": {}}`, "all", 1}, // PyGithub's, since version 2
		{``, "all", 0},                    // gidgethub's, without a Content-Type
		{`{"repositories":["widgets"],"repository_ids":[]}`, "selected", 1},
		{`{"repositories":["widgets"],"permissions":{}}`, "selected", 0},
		{`{"repositories":[],"repository_ids":[9001],"permissions":{}}`, "selected", 1},
	} {
		before := w.github.Mints()
		if got := exchange(t, client, "", 111, test.body); got.Selection != test.selection {
			t.Errorf("%s: %+v, want %s repositories", test.body, got, test.selection)
		}
		if mints := w.github.Mints() - before; mints != test.mints {
			t.Errorf("%s: %d mints, want %d", test.body, mints, test.mints)
		}
	}
}

// With a placeholder the program chooses the installation, on every host, in
// every form; the owner's installation would be 111.
func TestPlaceholderChooses(t *testing.T) {
	w := exchanging(t, nil)
	token := exchange(t, w.client(t, false), "", 333, `{"repositories":["paper"]}`).Token
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))
	const kind, git = githubtest.CredentialInstallation, githubtest.CredentialBasicToken
	for _, h2 := range []bool{false, true} {
		client := w.client(t, h2)
		for _, test := range []struct {
			authorization, method, url string
			kind                       githubtest.CredentialKind
		}{
			{"Bearer " + token, "GET", "https://api.github.com/repos/acme/widgets", kind},
			{"bearer " + token, "GET", "https://api.github.com/repos/globex/tools", kind},
			{"token " + token, "GET", "https://api.github.com/installation/repositories", kind},
			{basic, "GET", "https://api.github.com/repos/initech/paper", kind},
			{"Bearer " + token, "GET", "http://api.github.com/rate_limit", kind},
			{"Bearer " + token, "POST", "https://api.github.com/graphql", kind},
			{"token " + token, "POST", "https://uploads.github.com/repos/acme/widgets/releases/1/assets?name=x", kind},
			{basic, "GET", "https://github.com/acme/widgets/info/refs?service=git-upload-pack", git},
			{basic, "POST", "https://github.com/acme/widgets.git/info/lfs/objects/batch", git},
			{"token " + token, "GET", "https://raw.githubusercontent.com/acme/widgets/main/README.md", kind},
			{"Bearer " + token, "GET", "https://codeload.github.com/acme/widgets/tar.gz/main", kind},
		} {
			w.github.Reset()
			body := ""
			if test.method == "POST" {
				body = `{"query":"{ viewer { login } }"}`
			}
			with(t, client, test.authorization, test.method, test.url, body)
			requests := slices.DeleteFunc(w.github.Requests(), func(r *githubtest.Request) bool {
				return r.Credential == githubtest.CredentialJWT // the proxy's own, in the background
			})
			if len(requests) == 0 {
				t.Errorf("%s %s did not arrive", test.method, test.url)
				continue
			}
			last := lastOfClient(t, requests)
			if last.Credential != test.kind || last.Installation != 333 || last.Scope == nil || len(last.Scope.Repositories) != 1 {
				t.Errorf("%s %s left with %v, scope %+v, want installation 333 narrowed to a repository", test.method, test.url, last, last.Scope)
			}
		}
		if status, _ := get(t, client, "https://api.github.com/repos/acme/widgets"); status != 200 || w.last(t, "/repos/acme/widgets").Installation != 111 {
			t.Errorf("without a placeholder: %d with %v, want installation 111", status, w.last(t, "/repos/acme/widgets"))
		}
	}
	if !strings.Contains(w.log.String(), "placeholder=true") || strings.Contains(w.log.String(), token) {
		t.Errorf("the log does not mention the placeholder, or has it:\n%s", w.log)
	}
}

func TestExchangeBodies(t *testing.T) {
	w := exchanging(t, nil)
	client := w.client(t, false)
	for _, test := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"repositories":[]}`, 422, "empty list"},
		{`{"repository_ids":[]}`, 422, "empty list"},
		{`{"repositories":[],"repository_ids":[]}`, 422, "empty list"},
		{`{"repositories":[],"permissions":{"contents":"read"}}`, 422, "empty list"},
		{`{"repositories":["acme/widgets"]}`, 422, "without its owner"},
		{`{"repository_ids":[-5]}`, 422, "not the id"},
		{`{"permissions":{"contents":"all"}}`, 422, "read, write or admin"},
		{`{"repositories":["no-such"]}`, 422, "GitHub answered 422"},
		{`{"permissions":{"administration":"admin"}}`, 422, "GitHub answered 422"},
		{`{"repository":["widgets"]}`, 400, "unknown field"},
		{`{"repositories":"widgets"}`, 400, "Problems parsing JSON"},
		{`{"repositories":["widgets"]} {}`, 400, "Problems parsing JSON"},
		{`[]`, 400, "Problems parsing JSON"},
		{`{`, 400, "Problems parsing JSON"},
		{`"` + strings.Repeat("x", 64<<10) + `"`, 413, "larger than"},
		{`{"repositories":["` + strings.Repeat(strings.Repeat("x", 100)+`","`, 499) + `no-such"]}`, 422, "GitHub answered 422"}, // the longest
	} {
		resp := with(t, client, "", "POST", "https://api.github.com"+fmt.Sprintf(mintPath, 111), test.body)
		refused(t, resp, test.status, test.want)
	}
}

// What GitHub refuses the program is told, with GitHub's status.
func TestExchangeRefusedByGitHub(t *testing.T) {
	w := exchanging(t, nil)
	client := w.client(t, false)
	for installation, want := range map[int64]struct {
		status int
		text   string
	}{
		999:                             {404, "check the installation id 999 in the program"},
		222:                             {404, "is not App ci-bot's"},
		githubtest.UmbrellaInstallation: {403, "suspended"},
	} {
		resp := with(t, client, programJWT(`"12345"`), "POST", "https://api.github.com"+fmt.Sprintf(mintPath, installation), "")
		refused(t, resp, want.status, want.text)
	}
}

func TestIssuerChoosesApp(t *testing.T) {
	w := exchanging(t, func(s *setup) {
		for _, app := range s.apps {
			app.ClientID = map[string]string{"ci-bot": githubtest.CIBotClientID, "release-bot": githubtest.ReleaseBotClientID}[app.Name]
		}
		s.options.Rules.Rules = []rules.Rule{{Operations: []string{"apps/get-webhook-config-for-app"}, Auth: rules.JWT, App: "ci-bot"}}
	})
	client := w.client(t, false)
	for iss, app := range map[string]int64{
		`"12345"`: githubtest.CIBotID,
		`67890`:   githubtest.ReleaseBotID,
		`"` + githubtest.ReleaseBotClientID + `"`: githubtest.ReleaseBotID,
		`null`: githubtest.CIBotID, // the first
	} {
		with(t, client, programJWT(iss), "GET", "https://api.github.com/app", "")
		if got := w.last(t, "/app"); got.App != app || got.Status != 200 {
			t.Errorf("iss %s: %v, want App %d", iss, got, app)
		}
	}
	// An installation that no App maps is that of the App that asks.
	in, err := w.github.Install(githubtest.Installation{App: githubtest.ReleaseBotID, Account: "octocat"})
	if err != nil {
		t.Fatal(err)
	}
	token := exchange(t, client, programJWT("67890"), in.ID, "").Token
	with(t, client, "token "+token, "GET", "https://api.github.com/installation/repositories", "")
	if got := w.last(t, "/installation/repositories"); got.App != githubtest.ReleaseBotID || got.Installation != in.ID {
		t.Errorf("the placeholder was used as %v, want release-bot's", got)
	}

	refused(t, with(t, client, programJWT("666"), "GET", "https://api.github.com/app", ""), 403, "67890 (release-bot)")
	refused(t, with(t, client, programJWT("666"), "POST", "https://api.github.com"+fmt.Sprintf(mintPath, 111), ""), 403, `the JWT's iss is "666"`)
	refused(t, with(t, client, programJWT("67890"), "GET", "https://api.github.com/app/hook/config", ""), 403, "rule[1] chooses App ci-bot")
}

func TestPlaceholderEnds(t *testing.T) {
	w := exchanging(t, nil)
	client := w.client(t, false)
	token := exchange(t, client, "", 111, "").Token
	other := exchange(t, client, "", 111, "").Token
	basic := func(token string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))
	}
	const revoke = "https://api.github.com/installation/token"
	if resp := with(t, client, "token "+token, "DELETE", revoke, ""); resp.StatusCode != 204 {
		t.Errorf("DELETE: %s, want 204", resp.Status)
	}
	unknown := "ghs_placeholder" + strings.Repeat("x", 25)
	for _, ended := range []string{token, unknown} {
		refused(t, with(t, client, "token "+ended, "DELETE", revoke, ""), 401, "Bad credentials")
		refused(t, with(t, client, "token "+ended, "GET", "https://api.github.com/repos/acme/widgets", ""), 401, "Bad credentials")
		refused(t, with(t, client, "Bearer "+ended, "POST", "https://api.github.com/graphql", "{}"), 401, "Bad credentials")
		refused(t, with(t, client, basic(ended), "GET", "https://github.com/acme/widgets/info/refs?service=git-upload-pack", ""), 403, "placeholder token has ended")
		refused(t, with(t, client, basic(ended), "POST", "https://github.com/acme/widgets/info/lfs/objects/batch", "{}"), 403, "placeholder token has ended")
		refused(t, with(t, client, "token "+ended, "GET", "https://codeload.github.com/acme/widgets/tar.gz/main", ""), 403, "placeholder token has ended")
	}
	if resp := with(t, client, "", "DELETE", revoke, ""); resp.StatusCode != 204 {
		t.Errorf("DELETE without a placeholder: %s, want 204", resp.Status)
	}
	if resp := with(t, client, "token "+other, "GET", "https://api.github.com/repos/acme/widgets", ""); resp.StatusCode != 200 {
		t.Errorf("another placeholder: %s, want 200", resp.Status)
	}
	for _, r := range w.github.Requests() {
		if r.Method == "DELETE" {
			t.Errorf("%v was forwarded", r)
		}
	}
}

func TestPlaceholderOfAnotherInstance(t *testing.T) {
	w := exchanging(t, func(s *setup) {
		for _, name := range enterprises {
			instance := github.Instance(name)
			s.options.Hosts = append(s.options.Hosts, instance.Hosts()...)
			app := *s.apps[0]
			app.Name, app.Instance, app.API = "ci-bot of "+name, instance, instance.APIURL()
			s.apps = append(s.apps, &app)
		}
	})
	client := w.client(t, false)
	token := exchange(t, client, "", 111, "").Token
	refused(t, with(t, client, "token "+token, "GET", "https://ghe.example.com/api/v3/repos/acme/widgets", ""), 401, "Bad credentials")
	refused(t, with(t, client, "token "+token, "GET", "https://api.octo.ghe.com/repos/acme/widgets", ""), 401, "Bad credentials")

	resp := with(t, client, programJWT("12345"), "POST", "https://ghe.example.com/api/v3"+fmt.Sprintf(mintPath, 111), "")
	var answer issued
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != 201 {
		t.Fatalf("on ghe.example.com: %s, %v", resp.Status, err)
	}
	if resp := with(t, client, "token "+answer.Token, "GET", "https://ghe.example.com/api/v3/repos/acme/widgets", ""); resp.StatusCode != 200 {
		t.Errorf("a placeholder of ghe.example.com there: %s, want 200", resp.Status)
	}
	refused(t, with(t, client, "token "+answer.Token, "GET", "https://api.github.com/repos/acme/widgets", ""), 401, "Bad credentials")
}

// Rules hold for who has a placeholder, too.
func TestPlaceholderAndRules(t *testing.T) {
	rockets, err := rules.ParseRepositoryGlob("acme/rockets")
	if err != nil {
		t.Fatal(err)
	}
	w := exchanging(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{
			{Repositories: []rules.Glob{rockets}, Deny: "rockets are off limits"},
			{Operations: []string{"meta/get-zen"}, Auth: rules.None},
			{Operations: []string{"rate-limit/get"}, Auth: rules.Installation, App: "release-bot", InstallationID: 222},
			{Operations: []string{"repos/get"}, Auth: rules.Installation, Narrow: narrowed(t, nil, map[string]string{"contents": "read"})},
			{Hosts: []string{"github.com"}, Auth: rules.Installation, Narrow: narrowed(t, []string{"rockets"}, nil)},
		}
	})
	client := w.client(t, false)
	token := "token " + exchange(t, client, "", 111, `{"repositories":["widgets"]}`).Token
	refused(t, with(t, client, token, "GET", "https://api.github.com/repos/acme/rockets", ""), 403, "rockets are off limits")
	with(t, client, token, "GET", "https://api.github.com/zen", "")
	if got := w.last(t, "/zen"); got.Credential != githubtest.CredentialNone {
		t.Errorf("none: %v", got)
	}
	refused(t, with(t, client, token, "GET", "https://api.github.com/rate_limit", ""), 403, "rule[3] chooses another App or installation")
	with(t, client, token, "GET", "https://api.github.com/repos/acme/widgets", "")
	if got := w.last(t, "/repos/acme/widgets"); got.Scope == nil || len(got.Scope.Repositories) != 1 || got.Scope.Permissions["issues"] != "" || got.Scope.Permissions["contents"] != "read" {
		t.Errorf("narrowed by both: %v, scope %+v", got, got.Scope)
	}
	refused(t, with(t, client, token, "GET", "https://github.com/acme/widgets/info/refs?service=git-upload-pack", ""), 403, "no repository is left")
}

// A request that names nobody is about the account of the placeholder, for a
// rule that looks at owners.
func TestPlaceholderAndOwnerRules(t *testing.T) {
	glob := func(s string) []rules.Glob {
		g, err := rules.ParseOwnerGlob(s)
		if err != nil {
			t.Fatal(err)
		}
		return []rules.Glob{g}
	}
	w := exchanging(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{
			{Owners: glob("initech"), Deny: "initech is off limits"},
			{Owners: glob("acme"), Auth: rules.Installation, Narrow: narrowed(t, []string{"rockets"}, nil)},
		}
	})
	client := w.client(t, false)
	for installation, want := range map[int64]int{111: 200, 222: 200, 333: 403} {
		jwt := programJWT(map[int64]string{111: "12345", 222: "67890", 333: "12345"}[installation])
		token := "token " + exchange(t, client, jwt, installation, "").Token
		for _, url := range []string{"https://api.github.com/installation/repositories", "https://api.github.com/rate_limit"} {
			w.github.Reset()
			resp := with(t, client, token, "GET", url, "")
			if want == 403 {
				refused(t, resp, 403, "initech is off limits")
				continue
			}
			last := lastOfClient(t, w.github.Requests())
			if resp.StatusCode != want || last.Installation != installation || (installation == 111) != (last.Scope != nil && len(last.Scope.Repositories) == 1) {
				t.Errorf("GET %s with installation %d: %s, arrived as %v, scope %+v", url, installation, resp.Status, last, last.Scope)
			}
		}
	}
}

func TestExchangeDeniedByRule(t *testing.T) {
	w := exchanging(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{{Operations: []string{"apps/create-installation-access-token"}, Deny: "no tokens here"}}
	})
	refused(t, with(t, w.client(t, false), programJWT("12345"), "POST", "https://api.github.com"+fmt.Sprintf(mintPath, 111), ""), 403, "no tokens here")
}

// Off is as if there were no placeholders, but that one which was given out before
// is good for nothing.
func TestExchangeOff(t *testing.T) {
	w := start(t, nil)
	client := w.client(t, false)
	refused(t, with(t, client, programJWT("12345"), "POST", "https://api.github.com"+fmt.Sprintf(mintPath, 111), ""), 403, "hands out a credential")
	refused(t, with(t, client, "token ghs_placeholder"+strings.Repeat("x", 25), "GET", "https://api.github.com/repos/acme/widgets", ""), 401, "this placeholder token has ended")
	with(t, client, programJWT("666"), "GET", "https://api.github.com/app", "")
	if got := w.last(t, "/app"); got.App != githubtest.CIBotID {
		t.Errorf("with an unknown iss: %v", got)
	}
}

// A program's choice of installation says nothing about whose a repository is.
func TestPlaceholderTeachesNothing(t *testing.T) {
	w := exchanging(t, func(s *setup) {
		for _, app := range s.apps {
			app.Installations = nil
		}
	})
	w.github.Handle("api.github.com", "/repos/acme/widgets/issues", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `<https://api.github.com/repositories/9001/issues?page=2>; rel="next"`)
	}))
	client := w.client(t, false)
	token := exchange(t, client, "", 333, "").Token
	with(t, client, "token "+token, "GET", "https://api.github.com/repos/acme/widgets/issues", "")
	if got := w.last(t, "/repos/acme/widgets/issues"); got.Installation != 333 {
		t.Fatalf("the placeholder chose installation %d, want 333", got.Installation)
	}
	get(t, client, "https://api.github.com/repositories/9001")
	if got := w.last(t, "/repositories/9001"); got.Installation != 111 {
		t.Errorf("by id: installation %d, want 111", got.Installation)
	}
}

func TestExchangeConcurrently(t *testing.T) {
	w := exchanging(t, nil)
	client := w.client(t, true)
	var group sync.WaitGroup
	tokens := make([]string, 32)
	for i := range tokens {
		group.Go(func() {
			tokens[i] = exchange(t, client, programJWT("12345"), 111, "").Token
			resp := with(t, client, "Bearer "+tokens[i], "GET", "https://api.github.com/repos/acme/widgets", "")
			if resp.StatusCode != 200 {
				t.Errorf("with placeholder %d: %s", i, resp.Status)
			}
			with(t, client, "Bearer "+tokens[i], "DELETE", "https://api.github.com/installation/token", "")
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, token := range tokens {
		if seen[token] {
			t.Errorf("%s was given out twice", token)
		}
		seen[token] = true
	}
	if mints := w.github.Mints(); mints != 1 {
		t.Errorf("%d tokens were minted, want 1", mints)
	}
}

// What a program sends does not make its answer, or the log, as long.
func TestTokenRequestIsNotQuotedAtLength(t *testing.T) {
	w := exchanging(t, nil)
	long := strings.Repeat("x", 100<<10)
	for _, body := range []string{`{"` + long + `":1}`, `{"permissions":{"` + long + `":"read"}}`, `{"permissions":{"contents":"` + long + `"}}`} {
		resp := with(t, w.client(t, false), "", "POST", "https://api.github.com"+fmt.Sprintf(mintPath, 111), body)
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode/100 != 4 || len(text) > 2<<10 || len(resp.Header.Get("Proxy-Status")) > 2<<10 {
			t.Errorf("%.40s…: %s with %d bytes, want few", body, resp.Status, len(text))
		}
	}
	if len(w.log.String()) > 10<<10 {
		t.Errorf("the log has %d bytes, want few", len(w.log.String()))
	}
}

// narrowed is what a rule narrows a token to.
func narrowed(t *testing.T, repositories []string, permissions map[string]string) *github.Narrowing {
	t.Helper()
	n, err := github.NewNarrowing(repositories, nil, permissions)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
