package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testKeys are the keys of an issuer: RFC 7517, appendix A.1, the one for signatures.
const testKeys = `{"keys":[{"kty":"EC","crv":"P-256","use":"sig","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`

const actionsIssuer = `[[issuer]]
name = "actions"
url = "https://token.actions.githubusercontent.com"
audience = "ghapp-proxy"
`

func TestIssuers(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app.pem"), testPEM())
	write(t, filepath.Join(dir, "keys.json"), testKeys)
	write(t, filepath.Join(dir, "roots.pem"), testCertificate(t))
	write(t, filepath.Join(dir, "config.toml"), minimal+actionsIssuer+`
[[issuer]]
name = "cluster"
url = "https://kubernetes.default.svc"
jwks_url = "https://10.0.0.1:6443/openid/v1/jwks"
ca_file = "roots.pem"
audience = ["a", "b"]
algorithms = ["ES384"]
leeway = "1m"
replay = "refuse"
[[issuer]]
name = "spire"
trust_domain = "example.org"
jwks_file = "keys.json"
audience = "ghapp-proxy"
[client.ci]
oidc = { issuer = "actions", claims = { repository = ["acme/*", "octo/*"], repository_owner_id = 65, nested = { "a.b" = { c = true } } }, lifetime = "2h" }
repositories = ["{repository}", "acme/shared"]
push = ["refs/heads/{ref_name}"]
delete_refs = ["refs/heads/tmp/*"]
[client.pod]
oidc = { issuer = "spire", claims = { sub = "spiffe://example.org/ns/*" } }
`)
	cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), HomeDir: dir})
	if errText != "" {
		t.Fatal(errText)
	}
	actions, cluster, spire := cfg.Issuers[0], cfg.Issuers[1], cfg.Issuers[2]
	if actions.Leeway != 30*time.Second || actions.Once || !slices.Equal(actions.Audiences, []string{"ghapp-proxy"}) || actions.URL == "" {
		t.Errorf("%+v", actions)
	}
	if cluster.Leeway != time.Minute || !cluster.Once || len(cluster.Audiences) != 2 || cluster.RootsPEM == nil || cluster.JWKSURL == "" || cluster.Algorithms[0] != "ES384" {
		t.Errorf("%+v", cluster)
	}
	if spire.TrustDomain != "example.org" || string(spire.JWKS) != testKeys {
		t.Errorf("%+v", spire)
	}
	ci, c := cfg.Tokens[0], cfg.Clients.All()[0]
	var paths []string
	for _, claim := range ci.Claims {
		paths = append(paths, claim.Path)
		for _, p := range claim.Any {
			paths = append(paths, p.String())
		}
	}
	if got := strings.Join(paths, " "); got != "repository acme/* octo/* repository_owner_id 65 nested.a.b.c true" || ci.Name != "ci" || ci.Issuer != "actions" || ci.Lifetime != 2*time.Hour {
		t.Errorf("%s of %+v", got, ci)
	}
	if !slices.Equal(c.FromClaims, []string{"repositories", "push"}) || !slices.Equal(ci.Limits.Repositories, []string{"{repository}", "acme/shared"}) || ci.Limits.DeleteRefs != nil {
		t.Errorf("%+v, %+v", c, ci.Limits)
	}
	if len(c.Repositories) != 2 || c.Repositories[0] != "*/*" || c.Push[0].String() != "refs/heads/**" || c.DeleteRefs[0].String() != "refs/heads/tmp/*" {
		t.Errorf("%+v", c)
	}
	if pod := cfg.Tokens[1]; pod.Lifetime != time.Hour || cfg.Clients.All()[1].FromClaims != nil {
		t.Errorf("%+v", pod)
	}
}

func TestIssuerFaults(t *testing.T) {
	issuer := func(lines string) string { return minimal + "[[issuer]]\n" + lines + "\n" }
	client := func(lines string) string { return minimal + actionsIssuer + "[client.ci]\n" + lines + "\n" }
	const is = "name = \"x\"\naudience = \"a\"\n"
	for text, want := range map[string]string{
		issuer(`url = "https://x.example"` + "\naudience = \"a\""):              "name is missing",
		issuer("name = \"a b\"\nurl = \"https://x.example\"\naudience = \"a\""): "not a name for an issuer",
		issuer("name = \"x\"\nurl = \"https://x.example\""):                     "audience is missing",
		issuer(is): "one of url and trust_domain must be given",
		issuer(is + "url = \"https://x.example\"\ntrust_domain = \"x\"\njwks_url = \"https://x\""):                                       "one of url and trust_domain must be given",
		issuer(is + `url = "http://x.example"`):                                                                                          "must be an https:// URL",
		issuer(is + `url = "https://u:p@x.example"`):                                                                                     "must be an https:// URL",
		issuer(is + `trust_domain = "Example.org"` + "\njwks_url = \"https://x\""):                                                       "small letters",
		issuer(is + `trust_domain = "example.org"`):                                                                                      "nothing says where its keys are",
		issuer(is + "url = \"https://x.example\"\nalgorithms = [\"HS256\"]"):                                                             "is not one of RS256",
		issuer(is + "url = \"https://x.example\"\nalgorithms = [\"none\"]"):                                                              "is not one of RS256",
		issuer(is + "url = \"https://x.example\"\nleeway = \"1h\""):                                                                      "must be 5m0s at most",
		issuer(is + "url = \"https://x.example\"\nreplay = \"allow\""):                                                                   `must be "refuse"`,
		issuer(is + "url = \"https://x.example\"\njwks_file = \"app.pem\""):                                                              "not a JSON Web Key Set",
		issuer(is + "url = \"https://x.example\"\njwks_file = \"none.json\""):                                                            "none.json",
		issuer(is + "url = \"https://x.example\"\njwks_url = \"http://x\""):                                                              "must be an https:// URL",
		minimal + actionsIssuer + actionsIssuer:                                                                                          "another [[issuer]] has it",
		client(`oidc = { issuer = "gitlab", claims = { a = "b" } }`):                                                                     `no [[issuer]] named "gitlab"`,
		client(`oidc = { issuer = "actions" }`):                                                                                          "whoever gets a token of the issuer would be the client",
		client(`oidc = { issuer = "actions", claims = {} }`):                                                                             "whoever gets a token of the issuer would be the client",
		client(`oidc = { issuer = "actions", claims = { repository = "**" } }`):                                                          "is whatever anybody likes",
		client(`oidc = { issuer = "actions", claims = { repository = "a**b" } }`):                                                        "** can only be at the end",
		client(`oidc = { issuer = "actions", claims = { repository = [] } }`):                                                            "must be a string, a number",
		client(`oidc = { issuer = "actions", claims = { repository = 1.5 } }`):                                                           "must be a string, a number",
		client(`oidc = { issuer = "actions", claims = { "a b" = "x" } }`):                                                                "not the name of a claim",
		client(`oidc = { issuer = "actions", claims = { a = "b" }, lifetime = "9999h" }`):                                                "must be 2160h0m0s at most",
		client(`repositories = ["{repository}"]` + "\nsecret_hash = \"" + someHash + "\""):                                               "{ and } stand around the name of a claim",
		client(`oidc = { issuer = "actions", claims = { a = "b" } }` + "\npush = [\"refs/{ref\"]"):                                       "a claim stands between { and }",
		client(`oidc = { issuer = "actions", claims = { a = "b" } }` + "\nrepositories = [\"{}\"]"):                                      "not the name of a claim",
		client(`oidc = { issuer = "actions", claims = { a = "b" } }` + "\nrepositories = [\"{a}\"]\nsecret_hash = \"" + someHash + "\""): "whoever is the client by this has no token",
		client(`oidc = { issuer = "actions", claims = { a = "b" } }` + "\ndeny_push = [\"refs/heads/{a}\"]"):                             "",
	} {
		_, errText := load(t, text, nil)
		if want != "" && !strings.Contains(errText, want) {
			t.Errorf("%s\nLoad = %q, want %q", text, errText, want)
		}
	}
	cfg, errText := load(t, client(`oidc = { issuer = "actions", claims = { repository = "acme/*" } }`), nil)
	if errText != "" || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], "somebody else's once its owner has given it up") {
		t.Errorf("names only: %q, %q", errText, cfg.Warnings)
	}
}
