package auth_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

func TestFallback(t *testing.T) {
	const (
		read  = true
		write = false
	)
	tests := []struct {
		fallback auth.Fallback
		home     github.InstallationID // default_installation
		owner    string
		read     bool
		want     string
	}{
		{auth.FallbackDefault, 9, "octocat/hello", read, "9 of ci-bot"},
		{auth.FallbackDefault, 9, "octocat/hello", write, "9 of ci-bot"},
		{auth.FallbackDefault, 9, "", read, "9 of ci-bot"},
		{auth.FallbackDefault, 9, "", write, "9 of ci-bot"},
		{auth.FallbackDefault, 0, "octocat", read, "anonymous"},
		{auth.FallbackDefault, 0, "octocat", write, "refused"},
		{auth.FallbackDefault, 0, "", read, "anonymous"},
		{auth.FallbackDefault, 0, "", write, "refused"},
		{auth.FallbackAnonymous, 9, "octocat", read, "anonymous"},
		{auth.FallbackAnonymous, 9, "octocat", write, "refused"},
		{auth.FallbackAnonymous, 9, "", read, "9 of ci-bot"},
		{auth.FallbackAnonymous, 9, "", write, "9 of ci-bot"},
		{auth.FallbackAnonymous, 0, "", read, "anonymous"},
		{auth.FallbackAnonymous, 0, "", write, "refused"},
		{auth.FallbackRefuse, 9, "octocat", read, "refused"},
		{auth.FallbackRefuse, 9, "octocat", write, "refused"},
		{auth.FallbackRefuse, 9, "", read, "9 of ci-bot"},
		{auth.FallbackRefuse, 0, "", read, "refused"},
		{auth.FallbackRefuse, 0, "", write, "refused"},
	}
	for _, test := range tests {
		app := newApp("ci-bot", 1)
		app.DefaultInstallation = test.home
		fake := &api{answers: map[string]reply{"GET /app/installations?per_page=2": {status: 200, body: `[]`}}}
		s := newSource(t, fake, test.fallback, app)
		if got := whose(t, s, test.owner, test.read); got != test.want {
			t.Errorf("fallback %v, default %d: owner %q, read %t: %s, want %s",
				test.fallback, test.home, test.owner, test.read, got, test.want)
		}
	}
}

// TestDefaultOfAnyApp: the first default counts, whichever App has it.
func TestDefaultOfAnyApp(t *testing.T) {
	first, second, third := newApp("first", 1), newApp("second", 2), newApp("third", 3)
	first.Installations = map[string]github.InstallationID{"acme": 1}
	second.DefaultInstallation, third.DefaultInstallation = 2, 3
	s := newSource(t, &api{}, 0, first, second, third)
	for o, want := range map[string]string{"": "2 of second", "octocat": "2 of second", "acme": "1 of first"} {
		if got := whose(t, s, o, true); got != want {
			t.Errorf("%q is answered by %s, want %s", o, got, want)
		}
	}
}

func TestSoleInstallation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const list = "GET /app/installations?per_page=2"
		one := reply{status: 200, body: `[{"id":7,"account":{"login":"acme"}}]`}
		two := reply{status: 200, body: `[{"id":7},{"id":8}]`}
		none := reply{status: 200, body: `[]`}
		told := func(m map[string]github.InstallationID) func(*auth.App) {
			return func(a *auth.App) { a.Installations, a.NoDiscovery = m, true }
		}
		tests := []struct {
			name   string
			app    func(*auth.App)
			answer reply
			want   string
			asked  bool
		}{
			{"one is installed", nil, one, "7 of ci-bot", true},
			{"two are installed", nil, two, "refused", true},
			{"none is installed", nil, none, "refused", true},
			{"GitHub is down", nil, reply{status: 503}, "error", true},
			{"one of two is mapped", func(a *auth.App) { a.Installations = map[string]github.InstallationID{"acme": 5} }, two, "refused", true},
			{"no discovery, one is mapped", told(map[string]github.InstallationID{"acme": 5}), two, "5 of ci-bot", false},
			{"no discovery, one is mapped twice", told(map[string]github.InstallationID{"acme": 5, "acme-labs": 5}), two, "5 of ci-bot", false},
			{"no discovery, two are mapped", told(map[string]github.InstallationID{"acme": 5, "globex": 6}), one, "refused", false},
			{"no discovery, none is mapped", func(a *auth.App) { a.NoDiscovery = true }, one, "refused", false},
		}
		for _, test := range tests {
			app := newApp("ci-bot", 1)
			if test.app != nil {
				test.app(app)
			}
			fake := &api{answers: map[string]reply{list: test.answer}}
			s := newSource(t, fake, auth.FallbackRefuse, app)
			for range 2 {
				if got := whose(t, s, "", true); got != test.want {
					t.Errorf("%s: %s, want %s", test.name, got, test.want)
				}
			}
			calls := slices.DeleteFunc(fake.take(), func(c string) bool { return c != list })
			if remembered := test.want != "error"; (len(calls) > 0) != test.asked || remembered && len(calls) > 1 {
				t.Errorf("%s: GitHub was asked %d times", test.name, len(calls))
			}
		}
	})
}

// TestSeveralAppsNoOwner: among several Apps nothing is guessed.
func TestSeveralAppsNoOwner(t *testing.T) {
	fake := &api{answers: map[string]reply{"GET /app/installations?per_page=2": {status: 200, body: `[{"id":7}]`}}}
	s := newSource(t, fake, auth.FallbackRefuse, newApp("first", 1), newApp("second", 2))
	if got := whose(t, s, "", true); got != "refused" {
		t.Errorf("answered by %s, want a refusal", got)
	}
}

func TestForApp(t *testing.T) {
	first, second, third := newApp("first", 1), newApp("second", 2), newApp("third", 3)
	first.Installations = map[string]github.InstallationID{"acme": 11}
	second.Installations = map[string]github.InstallationID{"acme": 21, "globex": 22}
	second.Enterprises = map[string]github.InstallationID{"corp": 23}
	third.DefaultInstallation = 31
	s := newSource(t, &api{}, 0, first, second, third)
	tests := []struct {
		id    github.InstallationID
		owner string
		want  string
	}{
		{0, "", "first"},
		{99, "", "first"},
		{0, "octocat", "first"},
		{11, "", "first"},
		{22, "", "second"},
		{23, "", "second"},
		{31, "", "third"},
		{0, "acme", "first"},
		{0, "GLOBEX/tools", "second"},
		{0, "enterprises/Corp", "second"},
		{0, "corp", "first"},
		{-1, "", "first"},
	}
	for _, test := range tests {
		cred, err := s.ForApp(t.Context(), "github.com", "", test.id, owner(test.owner))
		if err != nil || cred.App.Name != test.want || cred.Installation != 0 {
			t.Errorf("ForApp(%d, %q) = %v, %v, want App %s", test.id, test.owner, cred, err, test.want)
		}
	}
	_, err := s.ForApp(t.Context(), "ghe.example.com", "", 0, github.Account{})
	wantError(t, err, "no App is configured for ghe.example.com", "add an App with that host")
}

func TestForClient(t *testing.T) {
	const secret = "canary-client-secret"
	app, bare := newApp("ci-bot", 1), newApp("bare", 2)
	app.ClientID, app.ClientSecret = "Iv1.a", secret
	bare.ClientID = "Iv1.b"
	nameless := newApp("nameless", 3)
	nameless.ClientSecret = secret
	s := newSource(t, &api{}, 0, bare, nameless, app)

	cred, err := s.ForClient("github.com", "", "Iv1.a")
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("Iv1.a:"+secret))
	if err != nil || cred.App != app || !slices.Equal(cred.Basic(), []string{want}) {
		t.Errorf("ForClient = %v, %v, want Basic with id and secret", cred, err)
	}
	if cred.Bearer() != nil || cred.Token() != nil {
		t.Error("a client secret can be sent as Bearer or token")
	}
	for _, id := range []string{"", "Iv1.b", "Iv1.c", "Iv1.A"} {
		cred, err := s.ForClient("github.com", "", id)
		if unknown := (*auth.ClientSecretError)(nil); !errors.As(err, &unknown) || !cred.Anonymous() {
			t.Errorf("ForClient(%q) = %v, %v, want a *ClientSecretError", id, cred, err)
		}
	}
	_, err = s.ForClient("ghe.example.com", "", "Iv1.a")
	wantError(t, err, `no App on ghe.example.com has client id "Iv1.a" and a client secret`,
		"set client_id and client_secret_file (or _env, _command) for that App")
}

func TestParseFallback(t *testing.T) {
	for _, want := range []auth.Fallback{auth.FallbackDefault, auth.FallbackAnonymous, auth.FallbackRefuse} {
		if got, err := auth.ParseFallback(want.String()); got != want || err != nil {
			t.Errorf("ParseFallback(%q) = %v, %v", want, got, err)
		}
	}
	if _, err := auth.ParseFallback("Default"); err == nil {
		t.Error("ParseFallback(Default) is no error")
	}
}
