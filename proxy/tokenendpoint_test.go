package proxy_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/grant"
)

const (
	jwtType    = "urn:ietf:params:oauth:token-type:jwt"
	accessType = "urn:ietf:params:oauth:token-type:access_token"
)

// exchanged is what /token answers.
type exchanged struct {
	status int
	header http.Header

	Token       string `json:"access_token"`
	Type        string `json:"token_type"`
	Issued      string `json:"issued_token_type"`
	Expires     int    `json:"expires_in"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// swap exchanges a token at the proxy's own address; more are further parameters.
func (w *world) swap(t *testing.T, token, is string, more ...string) (got exchanged) {
	t.Helper()
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token}, "subject_token_type": {is}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	resp, err := http.PostForm("http://"+w.addr+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got.status, got.header = resp.StatusCode, resp.Header
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestExchangeToken: a job gets a grant for what its token is good for, and outlives it.
func TestExchangeToken(t *testing.T) {
	w, a := tokens(t, func(a *actions, _ *setup) { a.issuer.Once = true })
	got := w.swap(t, a.job(), jwtType)
	if got.status != 200 || got.Type != "Bearer" || got.Issued != accessType || got.Expires < 3590 || got.Expires > 3600 || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%+v", got)
	}
	r := w.records(t)[0]
	if r.Client != "ci" || r.Token == nil || r.Token.Subject != "repo:acme/widgets:ref:refs/heads/main" || len(r.Grant) != 1 || r.Grant[0].Actor != r.Token.Subject || r.Path != "/token" || r.Decision != "answered" {
		t.Errorf("the record of the exchange: %+v", r)
	}
	client := w.clientAs(t, "ci", got.Token, true)
	if status, name, text := w.askedAs(t, client, grantedURL); status != 200 || name != "ci" {
		t.Errorf("with the grant: %d as %q: %s", status, name, text)
	}
	if status, _, text := w.askedAs(t, client, otherURL); status != 403 || !strings.Contains(text, "is not granted the repository acme/rockets") {
		t.Errorf("another repository: %d: %s", status, text)
	}
	g, err := grant.Parse(got.Token)
	if err != nil || len(g.Links) != 1 || strings.Join(g.Links[0].Push, " ") != "refs/heads/main" || strings.Join(g.Links[0].Repositories, " ") != "acme/widgets" {
		t.Errorf("the grant is %v, %v", g.Links, err)
	}
	if again := w.swap(t, a.job(), jwtType); again.status != 403 || !strings.Contains(again.Description, "was used before") {
		t.Errorf("the same token once more: %+v", again)
	}
	if resp := w.authenticate(t, "Bearer "+a.job("jti", "another")); resp.StatusCode != 403 {
		t.Errorf("as a password: %s", resp.Status)
	}

	// Narrower at once, and later.
	less := w.swap(t, a.job("jti", "2"), jwtType, "scope", "read_only permissions:contents=read ttl:5m")
	if g, err = grant.Parse(less.Token); err != nil || len(g.Links) != 2 || !g.Links[1].ReadOnly || less.Expires > 300 {
		t.Errorf("with a scope: %+v, %v", less, err)
	}
	least := w.swap(t, less.Token, accessType, "scope", "repositories:acme/widgets purpose:x")
	if least.status != 400 || !strings.Contains(least.Description, "purpose") {
		t.Errorf("an unknown limit: %+v", least)
	}
	least = w.swap(t, less.Token, accessType, "scope", "repositories:acme/rockets")
	if status, _, _ := w.askedAs(t, w.clientAs(t, "ci", least.Token, false), otherURL); status != 403 {
		t.Errorf("a grant was widened: %d", status)
	}
	if logs := w.log.String() + w.auditText(); strings.Contains(logs, grant.Prefix) || strings.Contains(logs, "eyJ") {
		t.Errorf("a secret is in a log:\n%s", logs)
	}
}

// TestExchangeRefused: what is no exchange, and who gets none.
func TestExchangeRefused(t *testing.T) {
	w, a := tokens(t, func(a *actions, _ *setup) { a.list[0].NoGrants = true })
	token, id := a.job(), "urn:ietf:params:oauth:token-type:id_token"
	for name, got := range map[string]exchanged{
		"400 none":           w.swap(t, "", jwtType),
		"400 no type":        w.swap(t, token, ""),
		"400 another type":   w.swap(t, token, accessType),
		"400 a grant as JWT": w.swap(t, grant.Prefix+"x", jwtType),
		"400 grant_type":     w.swap(t, token, jwtType, "grant_type", "client_credentials"),
		"400 actor":          w.swap(t, token, jwtType, "actor_token", token),
		"400 requested":      w.swap(t, token, jwtType, "requested_token_type", jwtType),
		"400 scope":          w.swap(t, token, jwtType, "scope", "all"),
		"400 glob in scope":  w.swap(t, token, jwtType, "scope", "push:main"),
		"400 no scope":       w.swap(t, grant.Prefix+"x", accessType),
		"400 large":          w.swap(t, token, jwtType, "x", strings.Repeat("x", 40<<10)),
		"400 client":         w.swap(t, token, id, "client_id", "agent"),
		"403 no grants":      w.swap(t, token, id, "client_id", "ci"),
		"403 expired":        w.swap(t, a.job("exp", time.Now().Add(-time.Hour).Unix()), jwtType),
	} {
		if name[:3] != strconv.Itoa(got.status) || got.Token != "" || got.Error == "" || !strings.HasPrefix(got.Description, "ghapp-proxy: ") {
			t.Errorf("%s: %d %+v", name, got.status, got)
		}
	}
	for _, form := range []string{"grant_type=a&grant_type=b", "%zz"} {
		resp, err := http.Post("http://"+w.addr+"/token", "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 400 {
			t.Errorf("%s: %s", form, resp.Status)
		}
	}
	if resp, err := http.Post("http://"+w.addr+"/token", "application/json", strings.NewReader("{}")); err != nil || resp.StatusCode != 400 {
		t.Errorf("JSON: %v, %v", resp.Status, err)
	}
	if resp, err := http.Get("http://" + w.addr + "/token?subject_token=" + token); err != nil || resp.StatusCode != 404 {
		t.Errorf("GET: %v, %v", resp.Status, err)
	}
	last := exchanged{}
	for range 100 {
		if last = w.swap(t, a.job("repository_owner", "evil"), jwtType); last.status == http.StatusTooManyRequests {
			break
		}
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("a hundred tokens of somebody else: %+v", last)
	}
}
