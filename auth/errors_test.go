package auth_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

// wantError checks the text of an error and its remedy.
func wantError(t testing.TB, err error, text, remedy string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", text)
		return
	}
	if err.Error() != text {
		t.Errorf("error\n\t%s\nwant\n\t%s", err, text)
	}
	var refused *auth.Error
	var other interface{ Remedy() string }
	var got string
	switch {
	case errors.As(err, &refused):
		got = refused.Remedy
	case errors.As(err, &other):
		got = other.Remedy()
	}
	if got != remedy {
		t.Errorf("remedy\n\t%s\nwant\n\t%s", got, remedy)
	}
}

// seeded returns the fake GitHub and its App ci-bot, with acme mapped.
func seeded(t *testing.T) (*githubtest.Server, *auth.App) {
	t.Helper()
	server := githubtest.Start(t, githubtest.Options{})
	app := newApp("ci-bot", githubtest.CIBotID)
	app.Signers = []auth.Signer{newKey(t, server.App("ci-bot").PrivateKeyPEM())}
	app.Installations = map[string]github.InstallationID{"acme": github.InstallationID(githubtest.AcmeInstallation)}
	return server, app
}

// reach makes a Source that reaches the fake GitHub.
func reach(t *testing.T, server *githubtest.Server, apps ...*auth.App) *auth.Source {
	t.Helper()
	transport := server.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return newSource(t, transport, auth.FallbackRefuse, apps...)
}

func TestErrorsOfGitHub(t *testing.T) {
	server, good := seeded(t)
	otherKey := newKey(t, server.App("release-bot").PrivateKeyPEM())
	tests := []struct {
		name         string
		owner        string
		app          func(*auth.App)
		text, remedy string
	}{
		{
			"wrong key", "acme", func(a *auth.App) { a.Signers = []auth.Signer{otherKey} },
			`App ci-bot could not mint a token for installation 111: GitHub answered 401 "A JSON web token could not be decoded"`,
			"check that the private key belongs to the App, whose page shows the fingerprints that `ghapp-proxy check` prints, and that id or client_id is the App's",
		},
		{
			"unknown App", "acme", func(a *auth.App) { a.ID = 4711 },
			`App ci-bot could not mint a token for installation 111: GitHub answered 404 "Integration not found"`,
			"check id or client_id, and host: github.com has no such App",
		},
		{
			"unknown App, discovery", "initech", func(a *auth.App) { a.ID = 4711 },
			`App ci-bot could not find its installation for initech: GitHub answered 404 "Integration not found"`,
			"check id or client_id, and host: github.com has no such App",
		},
		{
			"malformed client id", "acme", func(a *auth.App) { a.ID, a.ClientID = 0, "nonsense" },
			`App ci-bot could not mint a token for installation 111: GitHub answered 401 "'Issuer' claim ('iss') must be an Integer"`,
			"check that the private key belongs to the App, whose page shows the fingerprints that `ghapp-proxy check` prints, and that id or client_id is the App's",
		},
		{
			"suspended", "umbrella/viruses", nil,
			`App ci-bot could not mint a token for installation 444: GitHub answered 403 "This installation has been suspended"`,
			"unsuspend the installation in the account's settings",
		},
		{
			"unknown installation", "acme", func(a *auth.App) { a.Installations = map[string]github.InstallationID{"acme": 999} },
			`App ci-bot could not mint a token for installation 999: GitHub answered 404 "Not Found"`,
			"check app.ci-bot.installations.acme = 999 in the configuration: it does not exist, or is another App's",
		},
		{
			"another App's installation", "globex", func(a *auth.App) { a.Installations = map[string]github.InstallationID{"globex": 222} },
			`App ci-bot could not mint a token for installation 222: GitHub answered 404 "Not Found"`,
			"check app.ci-bot.installations.globex = 222 in the configuration: it does not exist, or is another App's",
		},
		{
			"not installed", "octocat/hello-world", nil,
			"no installation on github.com covers octocat/hello-world (tried: ci-bot)",
			"install the App on octocat/hello-world, which is noticed within a minute, or map the owner under [app.NAME.installations]",
		},
		{
			"not installed on an enterprise", "enterprises/corp", nil,
			"no installation on github.com covers enterprises/corp (tried: ci-bot)",
			"install the App on enterprises/corp, which is noticed within a minute, or map the owner under [app.NAME.enterprises]",
		},
		{
			"no owner", "", func(a *auth.App) { a.Installations = nil },
			"the request names no owner, and no default installation is configured for github.com",
			"set default_installation for one of the Apps, or default_owner (run has --owner)",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			app := *good
			if test.app != nil {
				test.app(&app)
			}
			_, err := reach(t, server, &app).ForOwner(t.Context(), "github.com", owner(test.owner), true)
			wantError(t, err, test.text, test.remedy)
			if leaks := server.Leaks([]byte(err.Error())); len(leaks) > 0 {
				t.Error("the error contains a secret")
			}
		})
	}
	if n := server.Mints(); n != 0 {
		t.Errorf("%d mints, want none", n)
	}
}

func TestErrorsOfAnswers(t *testing.T) {
	const prefix = "App ci-bot could not mint a token for installation 111: "
	long := strings.Repeat("é", 200)
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	tests := []struct {
		name         string
		answer       reply
		text, remedy string
	}{
		{
			"422", reply{status: 422, body: `{"message":"There is at least one repository that does not exist or is not accessible to the parent installation."}`},
			`GitHub answered 422 "There is at least one repository that does not exist or is not accessible to the parent installation."`,
			"grant the App the repository or the permission, and accept it in the installation",
		},
		{
			"a JWT of another time", jwtRefused("'Expiration time' claim ('exp') is too far in the future"),
			`GitHub answered 401 "'Expiration time' claim ('exp') is too far in the future"`,
			"set the clock of the machine that runs the proxy: it differs from GitHub's",
		},
		{"500 with HTML", reply{status: 500, body: "<html>Unicorn!</html>"}, "GitHub answered 500", "try again later; see https://www.githubstatus.com"},
		{"502 without a body", reply{status: 502}, "GitHub answered 502", "try again later; see https://www.githubstatus.com"},
		{"a larger error", reply{status: 500, body: strings.Repeat("x", 2<<20)}, "GitHub answered 500", "try again later; see https://www.githubstatus.com"},
		{"429", reply{status: 429, body: `{"message":"Too many"}`}, `GitHub answered 429 "Too many"`, "wait for GitHub's rate limit to reset"},
		{
			"secondary rate limit", reply{status: 403, body: `{"message":"You have exceeded a secondary rate limit."}`},
			`GitHub answered 403 "You have exceeded a secondary rate limit."`, "wait for GitHub's rate limit to reset",
		},
		{
			"an unknown 403", reply{status: 403, body: `{"message":"the acme organization has an IP allow list enabled"}`},
			`GitHub answered 403 "the acme organization has an IP allow list enabled"`, "",
		},
		{"line breaks", reply{status: 400, body: `{"message":"a\r\nb\u001b[31m\u2028c"}`}, `GitHub answered 400 "a  b [31m c"`, ""},
		{"a long message", reply{status: 400, body: `{"message":"` + long + `"}`}, `GitHub answered 400 "` + long[:300] + `…"`, ""},
		{"a message that is none", reply{status: 400, body: `{"message":{"a":1}}`}, "GitHub answered 400", ""},
		{
			"quoted credentials", reply{status: 400, body: `{"message":"bad eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln-_ or ghs_` + strings.Repeat("a", 36) + `!"}`},
			`GitHub answered 400 "bad [redacted] or [redacted]!"`, "",
		},
		{
			"a quoted stateless token", reply{status: 400, body: `{"message":"bad ghs_12345_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.` + strings.Repeat("c2ln-_", 50) + `!"}`},
			`GitHub answered 400 "bad [redacted]!"`, "",
		},
		{"unreachable", reply{err: refused}, "dial tcp: connection refused", ""},
	}
	for _, test := range tests {
		var err error
		synctest.Test(t, func(t *testing.T) { // 5xx are retried
			s := acmeSource(t, &api{mint: func(int, string) reply { return test.answer }})
			_, err = s.ForOwner(t.Context(), "github.com", owner("acme"), true)
		})
		t.Run(test.name, func(t *testing.T) { wantError(t, err, prefix+test.text, test.remedy) })
		if test.answer.err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error("the error does not wrap its cause")
		}
	}
}

func TestStatusPageIsGitHubsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp("ci-bot", 1)
		app.Instance, app.DefaultInstallation = "ghe.example.com", 1
		s := newSource(t, &api{mint: func(int, string) reply { return reply{status: 503} }}, 0, app)
		_, err := s.ForOwner(t.Context(), "ghe.example.com", github.Account{}, true)
		wantError(t, err, "App ci-bot could not mint a token for installation 1: GitHub answered 503", "try again later; ask those who run ghe.example.com")
	})
}
