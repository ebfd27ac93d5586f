package rules_test

import (
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

func TestExchange(t *testing.T) {
	const mint = "/app/installations/111/access_tokens"
	ghes := github.Host{Name: "ghe.example.com", Service: github.GHES, Instance: "ghe.example.com"}
	api := github.Host{Name: "api.github.com", Service: github.API}
	for _, test := range []struct {
		host         github.Host
		method, path string
		rule         string
		exchange     bool
		refused      bool
	}{
		{host: api, method: "POST", path: mint, exchange: true},
		{host: ghes, method: "POST", path: "/api/v3" + mint, exchange: true},
		{host: api, method: "POST", path: mint + "/", exchange: true},
		{host: api, method: "POST", path: mint, rule: "jwt /app/**", exchange: true},
		{host: api, method: "POST", path: mint, rule: "deny op:apps/create-installation-access-token", refused: true},
		{host: api, method: "POST", path: mint, rule: "deny POST", refused: true},
		{host: api, method: "POST", path: mint, rule: "jwt op:apps/create-installation-access-token"}, // GitHub's own is meant
		{host: api, method: "POST", path: mint, rule: "none /**", refused: true},
		{host: api, method: "POST", path: "/app/installations/x/access_tokens", refused: true},
		{host: api, method: "POST", path: "/app/installations/0/access_tokens", refused: true},
		{host: api, method: "POST", path: "/app/installations/99999999999999999999/access_tokens", refused: true},
		{host: api, method: "POST", path: "/app/installations/111%2Faccess_tokens", refused: true},
		{host: api, method: "POST", path: "/orgs/acme/actions/runners/registration-token", refused: true},
		{host: api, method: "PATCH", path: "/app/hook/config", refused: true},
		{host: api, method: "GET", path: "/app"},
	} {
		set := rules.Set{Exchange: true}
		if test.rule != "" {
			set.Rules = []rules.Rule{rule(t, test.rule)}
		}
		route, err := set.Route(rules.Request{Method: test.method, Host: test.host, Path: test.path})
		if err != nil {
			t.Fatal(err)
		}
		if route.Exchange != test.exchange || (route.Refused != "") != test.refused {
			t.Errorf("%s %s with rule %q: exchange %v, refused %q, want %v, refused: %v", test.method, test.path, test.rule, route.Exchange, route.Refused, test.exchange, test.refused)
		}
		if off, _ := (rules.Set{Rules: set.Rules}).Route(rules.Request{Method: test.method, Host: test.host, Path: test.path}); off.Exchange {
			t.Errorf("%s %s: an exchange although that is off", test.method, test.path)
		}
	}
}
