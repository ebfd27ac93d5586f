package proxy_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/rules"
)

func TestAttackCredentials(t *testing.T) {
	w := compromise(t, func(_ *setup, agent *policy.Client) { agent.Deny = nil }) // "admin" would have refused many before
	const handsOut = "403 this operation hands out a credential, and tools behind the proxy never hold one"
	w.attempts(t, []attack{
		{request: "POST /app/installations/111/access_tokens", want: handsOut},
		{request: "POST /app/installations/222/access_tokens\n\n{}", want: handsOut},
		{request: "POST /app/installations/222//access_tokens", want: handsOut},
		{request: "POST /app/installations/222/access%5Ftokens/", want: handsOut},
		{request: "POST /app/installations/222/access_tokens;x", want: handsOut},
		{request: "POST /app/installations/222/access_tokens.json", want: handsOut},
		{request: "POST /repos/acme/widgets/actions/runners/registration-token", want: handsOut},
		{request: "POST /repos/acme/widgets/actions/runners/remove-token", want: handsOut},
		{request: "POST /orgs/acme/actions/runners/registration-token", want: handsOut},
		{request: "POST /repos/acme/widgets/actions/runners/generate-jitconfig\n\n{}", want: handsOut},
		{request: "POST /app-manifests/x/conversions", want: handsOut},
		{request: "POST /applications/Iv23liCIBOTCIBOTCIBO/token\n\n{}", want: handsOut},
		{request: "POST /applications/Iv23liCIBOTCIBOTCIBO/token/scoped\n\n{}", want: handsOut},
		{request: "DELETE /applications/Iv23liCIBOTCIBOTCIBO/grant\n\n{}", want: needsJWT},
		{request: "GET /app", want: needsJWT + "\"apps/get-authenticated\": it takes the App's own token, which cannot be limited (client.agent.jwt)"},
		{request: "GET /app/", want: needsJWT},
		{request: "GET /App", want: needsJWT},
		{request: "GET /%61pp/installations", want: needsJWT},
		{request: "GET /app/installations/222", want: needsJWT},
		{request: "GET /repos/acme/widgets/installation", want: needsJWT},
		{request: "GET /users/acme/installation", want: needsJWT},
		{request: "GET /orgs/globex/installation", want: needsJWT},
		{request: "GET /app/hook/config", want: "403 client agent"},
		{request: "PATCH /app/hook/config\n\n{}", want: "403 this route is authenticated as the App itself, and such routes are read-only"},
		{request: "DELETE /app/installations/111", want: "403 this route is authenticated as the App itself"},
		{request: "DELETE /installation/token", want: "204 this would revoke the installation token that the proxy shares"},
		{request: "DELETE /installation//token", want: "400 an empty segment"},
		{request: "DELETE /installation/token%2F", want: "400 an escaped slash"},
		{request: "TRACE /repos/acme/widgets", want: "403 TRACE would echo the credential back"},
	})
	// Whatever the client sends as its own, the proxy's own leaves.
	for _, authorization := range []string{
		"Bearer ghs_anything", "Basic eDp5", "Bearer " + strings.TrimPrefix(programJWT("12345"), "bearer "), "Bearer ghs_placeholder000000000000000000000000",
	} {
		w.attempt(t, attack{request: "GET /repos/acme/rockets\nAuthorization: " + authorization, want: notRockets})
		w.attempt(t, attack{request: "GET /repos/acme/widgets\nAuthorization: " + authorization, want: "confined 200"})
	}
}

func TestAttackPlaceholders(t *testing.T) {
	needGit(t)
	w := exchanging(t, known(t, secrets, func(agent *policy.Client) { agent.Deny = nil }))
	attacker, other := w.as(t, "agent", secrets["agent"]), w.as(t, "other", secrets["other"])
	ci, release := programJWT(strconv.FormatInt(githubtest.CIBotID, 10)), programJWT(strconv.FormatInt(githubtest.ReleaseBotID, 10))
	theirs := exchange(t, other, ci, githubtest.AcmeInstallation, "").Token
	w.github.Reset()

	const mint = "api.github.com/app/installations/%d/access_tokens"
	for _, test := range []struct {
		jwt          string
		installation int64
		body, want   string
	}{
		{release, githubtest.GlobexInstallation, "", "403 installation 222 cannot be used within this client's limits: the account is not allowed"},
		{ci, githubtest.InitechInstallation, "", "403 installation 333 cannot be used within this client's limits: the account is not allowed"},
		{ci, githubtest.GlobexInstallation, "", "404 "},
		{"", githubtest.AcmeInstallation, `{"repositories":["rockets"]}`, "403 installation 111 on acme cannot be used within this client's limits: none of its repositories is allowed"},
		{ci, githubtest.AcmeInstallation, `{"repository_ids":[9002]}`, "403 installation 111 on acme cannot be used within this client's limits: none of its repositories is allowed"},
		{ci, githubtest.AcmeInstallation, `{"permissions":{"administration":"write"}}`, "403 installation 111 on acme cannot be used within this client's limits: it has none of the permissions that are allowed"},
		{ci, githubtest.AcmeInstallation, `{"permissions":{"Contents":"write"}}`, "4"},
		{ci, githubtest.AcmeInstallation, `{"repositories":[]}`, "422"},
		{ci, githubtest.AcmeInstallation, `{"repositories":["widgets"]}{}`, "400"},
		{ci, githubtest.AcmeInstallation, `{"unknown":1}`, "400"},
		{programJWT("999"), githubtest.AcmeInstallation, "", "403 the JWT's iss is \"999\", which is no App that is configured"},
	} {
		what := fmt.Sprintf("%d %s", test.installation, test.body)
		got := w.outcomeOf(t, attacker, test.jwt, "POST", fmt.Sprintf(mint, test.installation), test.body)
		w.compare(t, attack{what: what, want: test.want, asks: true}, got)
	}

	mine := exchange(t, attacker, ci, githubtest.AcmeInstallation, `{"repositories":["widgets","rockets"],"permissions":{"contents":"write","administration":"write"}}`)
	if len(mine.Repositories) != 1 || mine.Repositories[0].FullName != "acme/widgets" || !within(mine.Permissions) {
		t.Errorf("the placeholder is for %+v with %v", mine.Repositories, mine.Permissions)
	}
	w.arrived(t, "a placeholder")
	w.github.Reset()
	const ended = "401 Bad credentials: this placeholder token has ended, or is not one of this proxy for this client and this host"
	guessed := mine.Token[:len(mine.Token)-1] + "~"
	for _, test := range []struct{ token, method, target, want string }{
		{theirs, "GET", "api.github.com/repos/acme/widgets", ended},
		{theirs, "GET", "api.github.com/repos/acme/rockets", notRockets},
		{theirs, "DELETE", "api.github.com/installation/token", ended},
		{guessed, "GET", "api.github.com/repos/acme/widgets", ended},
		{strings.Repeat("0", 40), "GET", "api.github.com/repos/acme/rockets", notRockets},
		{mine.Token, "GET", "api.github.com/repos/acme/rockets", notRockets},
		{mine.Token, "GET", "api.github.com/repos/globex/tools", notTools},
		{mine.Token, "GET", "github.com/globex/tools.git/info/refs?service=git-upload-pack", notTools},
		{mine.Token, "GET", "api.github.com/repos/acme/widgets/contents/README.md", "confined 200"},
		{mine.Token, "GET", "api.github.com/installation/repositories", "confined 200"},
		{mine.Token, "GET", "api.github.com/app", needsJWT},
	} {
		got := w.outcomeOf(t, attacker, "token "+test.token, test.method, test.target, "")
		w.compare(t, attack{what: test.method + " " + test.target, want: test.want}, got)
	}
	if got := w.outcomeOf(t, other, "token "+theirs, "GET", "api.github.com/repos/acme/rockets", ""); got != "200" {
		t.Errorf("the other client's placeholder: %s, want 200", got)
	}
}

func TestAttackIdentity(t *testing.T) {
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(s *setup) {
		known(t, secrets, func(agent *policy.Client) { agent.Listen = own.Addr().String() })(s)
		s.own = []*proxy.Listener{{Listener: own, Client: "agent"}}
	})
	basic := func(userinfo string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
	}
	// try connects with a Proxy-Authorization.
	try := func(addr, authorization string) (string, http.Header) {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		field := ""
		if authorization != "" {
			field = "Proxy-Authorization: " + authorization + "\r\n"
		}
		io.WriteString(conn, "GET http://api.github.com/repos/acme/rockets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: x\r\n"+field+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return outcome(resp, body), resp.Header
	}
	const (
		wrong   = "407 no client has this name and secret; check them in the proxy URL (ghapp-proxy client add NAME makes a new secret)"
		stopped = "429 too many wrong secrets from 127.0.0.1; check the name and the secret in the proxy URL, and wait"
		missing = "407 this proxy serves only clients that it knows"
	)
	mine, theirs := basic("agent:"+secrets["agent"]), basic("other:"+secrets["other"])
	for _, test := range []struct{ authorization, want string }{
		{"", missing},
		{mine, notRockets},
		{theirs, "200"},
		{"basic " + strings.TrimPrefix(theirs, "Basic "), "200"},
		{basic("other:" + secrets["agent"]), wrong},
		{basic("Other:" + secrets["other"]), wrong},
		{basic("other: " + secrets["other"]), wrong},
		{basic("other"), wrong},
		{basic(":"), wrong},
		{basic("nobody:"), wrong},
		{"Bearer " + secrets["other"], wrong},
		{"Digest username=other", wrong},
		{"Basic %%%", wrong},
		{"Basic " + strings.Repeat("A", 5000), wrong},
		{basic("other:" + policy.HashSecret(secrets["other"]).String()), stopped}, // the eleventh
		{basic("nobody:x"), stopped},
		{theirs, "200"}, // whoever has the secret is not locked out
		{mine, notRockets},
		{"", missing},
	} {
		got, header := try(w.addr, test.authorization)
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("Proxy-Authorization %.60q: %q, want %q", test.authorization, got, test.want)
		}
		if challenged, told := header.Get("Proxy-Authenticate") != "", header.Get("Retry-After") != ""; challenged != strings.HasPrefix(got, "407") || told != strings.HasPrefix(got, "429") {
			t.Errorf("Proxy-Authorization %.60q: %q with %v", test.authorization, got, header)
		}
	}
	// Who comes by the listener of a client is that one, whatever it says.
	for _, authorization := range []string{"", theirs, basic("x:y"), "Bearer x"} {
		if got, _ := try(own.Addr().String(), authorization); !strings.HasPrefix(got, notRockets) {
			t.Errorf("own listener, Proxy-Authorization %q: %q, want %q", authorization, got, notRockets)
		}
	}
	// What is said inside a tunnel does not change who opened it.
	w.github.Reset()
	if resp := with(t, w.as(t, "agent", secrets["agent"]), "", "GET", "https://api.github.com/repos/acme/rockets", ""); resp.StatusCode != 403 {
		t.Errorf("agent: %s, want 403", resp.Status)
	}
	if log := w.log.String(); strings.Contains(log, secrets["agent"]) || strings.Contains(log, secrets["other"]) {
		t.Error("the log has a client's secret in it")
	}
}

// A placeholder that was asked for before a rule came is good for what the rules
// of now let it do.
func TestAttackPlaceholdersAndLaterRules(t *testing.T) {
	w := exchanging(t, nil)
	client := w.client(t, false)
	jwt := programJWT(strconv.FormatInt(githubtest.CIBotID, 10))
	all := exchange(t, client, jwt, githubtest.AcmeInstallation, "").Token
	narrowed := exchange(t, client, jwt, githubtest.AcmeInstallation, `{"repositories":["widgets"],"permissions":{"issues":"read"}}`).Token
	const (
		denied = "403 rule[1] denies this: acme is closed"
		ended  = "401 Bad credentials: this placeholder token has ended"
		ours   = "api.github.com/installation/repositories"
	)
	deny := []rules.Rule{{Owners: []rules.Glob{"acme"}, Deny: "acme is closed"}}
	for _, step := range []struct {
		rules         rules.Set
		token, target string
		want          string
		arrives       bool
	}{
		{rules.Set{Exchange: true}, all, ours, "200", true},
		{rules.Set{Exchange: true, Rules: deny}, all, ours, denied, false},
		{rules.Set{Exchange: true, Rules: deny}, narrowed, ours, denied, false},
		{rules.Set{Exchange: true, Rules: deny}, all, "api.github.com/repos/acme/widgets", denied, false},
		{rules.Set{Exchange: true, Rules: deny}, narrowed, "github.com/acme/widgets.git/info/refs?service=git-upload-pack", denied, false},
		{rules.Set{}, narrowed, ours, ended, false},
		{rules.Set{}, narrowed, "api.github.com/repos/acme/rockets", ended, false},
		{rules.Set{}, all, "api.github.com/repos/acme/rockets", ended, false},
		{rules.Set{}, strings.Repeat("x", len(all)), "api.github.com/repos/acme/widgets", "200", true},
		{rules.Set{Exchange: true}, narrowed, ours, "200", true},
	} {
		w.proxy.ReplacePolicy(proxy.Policy{Rules: step.rules})
		w.github.Reset()
		if got := w.outcomeOf(t, w.client(t, false), "token "+step.token, "GET", step.target, ""); !strings.HasPrefix(got, step.want) {
			t.Errorf("%s with %d rules, exchange %v: %q, want %q", step.target, len(step.rules.Rules), step.rules.Exchange, got, step.want)
		}
		for _, r := range w.github.Requests() {
			if asked := r.Header.Get("User-Agent") == "ghapp-proxy"; !asked && !step.arrives {
				t.Errorf("%v arrived with a token for %+v", r, r.Scope)
			}
		}
	}
}

// Whom nobody knows gets no credential out of a rule that is for somebody.
func TestAttackAnonymously(t *testing.T) {
	const token = "POST /repos/acme/widgets/actions/runners/registration-token\n\n{}"
	w := start(t, func(s *setup) {
		s.options.Clients, s.options.Anonymous = clients(t, withSecret()), true
		s.options.Rules.Rules = []rules.Rule{{Operations: []string{"actions/create-registration-token-for-repo"}, Auth: rules.Installation}}
	})
	conn := w.intercepted(t, "api.github.com", nil)
	defer conn.Close()
	const want = "403 this operation hands out a credential, and nobody knows who asks for it"
	for _, when := range []string{"at first", "after a reload"} {
		if got := w.answerOf(t, conn, spell("api.github.com", token)); !strings.HasPrefix(got, want) || len(w.github.Requests()) > 0 {
			t.Errorf("somebody unknown, %s: %q and %d requests, want %q", when, got, len(w.github.Requests()), want)
		}
		w.proxy.ReplacePolicy(w.proxy.Configured().Policy)
	}
}

// A client that may act as an App does so as one that it may use.
func TestAttackOtherApp(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Networks: loopback, Apps: []string{"release-bot"}, JWT: true})
	})
	client := w.client(t, false)
	for target, want := range map[string]string{
		"/app":                             "200",
		"/app/installations":               "200",
		"/app/installations/222":           "200",
		"/app/installations/111":           "404", // is not release-bot's
		"/users/acme/installation":         "404",
		"/repos/globex/tools/installation": "200",
	} {
		got := w.outcomeOf(t, client, "", "GET", "api.github.com"+target, "")
		if r := w.last(t, target); got != want || r.App != githubtest.ReleaseBotID {
			t.Errorf("GET %s: %s as App %d, want %s as release-bot", target, got, r.App, want)
		}
	}
}
