package githubtest

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

func mintURL(id int64) string {
	return fmt.Sprintf("https://api.github.com/app/installations/%d/access_tokens", id)
}

func TestMint(t *testing.T) {
	s := Start(t, Options{})
	ci, release := "Bearer "+jwt(t, s.App("ci-bot")), "Bearer "+jwt(t, s.App("release-bot"))
	for _, tt := range []struct {
		name, auth, body string
		id               int64
		status           int
		message          string
	}{
		{"no body", ci, "", AcmeInstallation, 201, ""},
		{"empty object", ci, "{}", AcmeInstallation, 201, ""},
		{"null", ci, "null", AcmeInstallation, 201, ""},
		{"one repository", ci, `{"repositories":["WIDGETS"]}`, AcmeInstallation, 201, ""},
		{"permissions", ci, `{"repository_ids":[9001],"permissions":{"issues":"read"}}`, AcmeInstallation, 201, ""},
		{"garbage", ci, "{", AcmeInstallation, 400, "Problems parsing JSON"},
		{"unknown repository", ci, `{"repositories":["tools"]}`, AcmeInstallation, 422,
			"There is at least one repository that does not exist or is not accessible to the parent installation."},
		{"permission not granted", ci, `{"permissions":{"secrets":"write"}}`, AcmeInstallation, 422,
			"The permissions requested are not granted to this installation."},
		{"suspended", ci, "", UmbrellaInstallation, 403, "This installation has been suspended"},
		{"unknown", ci, "", 999, 404, "Not Found"},
		{"of another App", release, "", AcmeInstallation, 404, "Not Found"},
		{"without JWT", "", "", AcmeInstallation, 401, msgJWTDecode},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := do(t, s, "POST", mintURL(tt.id), tt.auth, tt.body)
			if a.status != tt.status || a.message() != tt.message {
				t.Fatalf("mint = %d %s, want %d %q", a.status, a.body, tt.status, tt.message)
			}
			if tok, _ := a.json["token"].(string); a.status == 201 && !strings.Contains(tok, Canary) {
				t.Errorf("token %q without %q", tok, Canary)
			}
		})
	}
	if got, want := s.Mints(), 5; got != want {
		t.Errorf("Mints() = %d, want %d", got, want)
	}
	var null bool
	for _, r := range s.Requests() {
		null = null || string(r.Body) == "null"
	}
	if !null {
		t.Error("the body null is not in the record")
	}
}

func TestTokenFormats(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + jwt(t, s.App("ci-bot"))
	for want, check := range map[string]func(string) bool{
		"disabled": func(tok string) bool { return len(tok) == 40 && !strings.Contains(tok, ".") },
		"enabled": func(tok string) bool {
			return len(tok) > 480 && len(tok) < 560 && strings.Count(tok, ".") == 2 && strings.HasPrefix(tok, "ghs_12345_")
		},
	} {
		a := do(t, s, "POST", mintURL(AcmeInstallation), auth, "", "X-GitHub-Stateless-S2S-Token", want)
		if tok, _ := a.json["token"].(string); !check(tok) {
			t.Errorf("%s: token %q of %d characters", want, tok, len(tok))
		}
	}
}

// get asks for a repository with a token, and returns the status.
func repoStatus(t *testing.T, s *Server, auth, repo string) int {
	t.Helper()
	return do(t, s, "GET", "https://api.github.com/repos/"+repo, auth, "").status
}

func TestScope(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + jwt(t, s.App("ci-bot"))
	all := "token " + mintToken(t, s, AcmeInstallation)
	a := do(t, s, "POST", mintURL(AcmeInstallation), auth, `{"repositories":["rockets"],"permissions":{"contents":"read"}}`)
	narrow := "Bearer " + a.json["token"].(string)
	for _, tt := range []struct {
		auth, repo string
		want       int
	}{
		{all, "acme/widgets", 200},
		{all, "ACME/Widgets", 200},
		{all, "acme/rockets", 200},
		{all, "globex/tools", 404},
		{all, "octocat/hello-world", 200},
		{narrow, "acme/rockets", 200},
		{narrow, "acme/widgets", 404},
		{"", "acme/widgets", 404},
		{"", "octocat/hello-world", 200},
		{"Bearer ghs_nonsense", "octocat/hello-world", 401},
		{auth, "acme/widgets", 401},
	} {
		if got := repoStatus(t, s, tt.auth, tt.repo); got != tt.want {
			t.Errorf("GET %s with %.12s… = %d, want %d", tt.repo, tt.auth, got, tt.want)
		}
	}
	if a := do(t, s, "GET", "https://api.github.com/app", all, ""); a.message() != msgJWTDecode {
		t.Errorf("GET /app with a token: %s, want %s", a.body, msgJWTDecode)
	}
}

func TestTokenEnds(t *testing.T) {
	s := Start(t, Options{})
	for name, end := range map[string]func(auth string){
		"expired": func(string) { s.ExpireAll() },
		"revoked": func(string) { s.RevokeAll() },
		"revoked over HTTP": func(auth string) {
			if a := do(t, s, "DELETE", "https://api.github.com/installation/token", auth, ""); a.status != 204 {
				t.Errorf("DELETE /installation/token = %d, want 204", a.status)
			}
		},
		"an hour":   func(string) { s.SetClockSkew(time.Hour) },
		"suspended": func(string) { s.Suspend(AcmeInstallation) },
	} {
		t.Run(name, func(t *testing.T) {
			auth := "Bearer " + mintToken(t, s, AcmeInstallation)
			if got := repoStatus(t, s, auth, "acme/widgets"); got != 200 {
				t.Fatalf("at first %d, want 200", got)
			}
			end(auth)
			if got := repoStatus(t, s, auth, "acme/widgets"); got != 401 {
				t.Errorf("afterwards %d, want 401", got)
			}
			s.SetClockSkew(0)
			s.Unsuspend(AcmeInstallation)
		})
	}
}

func TestReinstall(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	id, err := s.Reinstall(AcmeInstallation)
	if err != nil {
		t.Fatal(err)
	}
	if got := repoStatus(t, s, auth, "acme/widgets"); got != 401 {
		t.Errorf("old token = %d, want 401", got)
	}
	if got := repoStatus(t, s, "Bearer "+mintToken(t, s, id), "acme/widgets"); got != 200 {
		t.Errorf("token of the new installation = %d, want 200", got)
	}
}

func TestLeaks(t *testing.T) {
	s := Start(t, Options{})
	tok := mintToken(t, s, AcmeInstallation)
	key := string(s.App("ci-bot").PrivateKeyPEM())
	for name, data := range map[string]string{
		"literal":  "token=" + tok + "!",
		"shift 0":  base64.StdEncoding.EncodeToString([]byte("abc" + tok + "xyz")),
		"shift 1":  base64.StdEncoding.EncodeToString([]byte("x:" + tok + "!")),
		"shift 2":  base64.StdEncoding.EncodeToString([]byte("x-access-token:x" + tok)),
		"url-safe": base64.URLEncoding.EncodeToString([]byte("x-access-token:" + tok)),
		"key line": strings.Split(key, "\n")[5],
	} {
		if got := s.Leaks([]byte(data)); len(got) != 1 {
			t.Errorf("%s: Leaks = %d secrets, want 1", name, len(got))
		}
	}
	if got := s.Leaks([]byte("ghs_ and " + Canary)); len(got) != 0 {
		t.Errorf("Leaks of nothing = %d secrets, want 0", len(got))
	}
}
