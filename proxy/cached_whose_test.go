package proxy_test

import (
	"net/http"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// TestKeptIsWhose: what is kept is told apart by as whom it was asked: an installation, another one, an App, nobody, and each credential of
// a client's own. Whoever asks first as one of these asks without a condition, though the body is the same for all.
func TestKeptIsWhose(t *testing.T) {
	const path = "/repos/acme/widgets/contents/x"
	var list []*policy.Client
	as := map[string]rules.Credential{"installation": rules.Installation, "jwt": rules.JWT, "nobody": rules.None, "keep": rules.Keep}
	var own []rules.Rule
	for name, auth := range as {
		list = append(list, &policy.Client{Name: name, Secret: policy.HashSecret(name)})
		if auth != rules.Installation {
			own = append(own, rules.Rule{Clients: []string{name}, Auth: auth, App: map[bool]string{true: "ci-bot"}[auth == rules.JWT]})
		}
	}
	for _, name := range []string{"other", "twin"} {
		list = append(list, &policy.Client{Name: name, Secret: policy.HashSecret(name)})
	}
	own = append(own, rules.Rule{Clients: []string{"other"}, Auth: rules.Installation, App: "release-bot"},
		rules.Rule{Clients: []string{"twin"}, Auth: rules.Installation, App: "ci-bot", InstallationID: 333})
	w, kept := startCached(t, func(s *setup) {
		s.options.Clients = clients(t, list...)
		s.options.Rules.Rules = own
		s.apps[1].Installations["acme"] = 222
	})
	w.github.Handle("api.github.com", "GET "+path, answering(func(*http.Request) string { return `{"a":1}` }))
	seen := make(map[string]bool) // Authorization
	for _, asker := range []struct{ client, token string }{
		{"installation", ""}, {"other", ""}, {"twin", ""}, {"jwt", ""}, {"nobody", ""}, {"keep", "token one"}, {"keep", "token two"}, {"keep", "Bearer one"},
	} {
		client := w.clientAs(t, asker.client, asker.client, true)
		var fields []string
		if asker.token != "" {
			fields = []string{"Authorization", asker.token}
		}
		first := ask(t, client, "https://api.github.com"+path, fields...)
		sent := w.last(t, path).Header
		if first.status != 200 || first.how() != "fwd=miss" || sent.Get("If-None-Match") != "" {
			t.Errorf("%v, first: %d, %s, sent with If-None-Match: %s", asker, first.status, first.how(), sent.Get("If-None-Match"))
		}
		if by := sent.Get("Authorization"); seen[by] {
			t.Errorf("%v was sent as another", asker)
		} else {
			seen[by] = true
		}
		if again := ask(t, client, "https://api.github.com"+path, fields...); again.status != 200 || again.how() != revalidate || again.body != first.body {
			t.Errorf("%v, again: %d, %s", asker, again.status, again.how())
		}
	}
	if s := kept.Stats(); s.Answers != len(seen) {
		t.Errorf("%d answers are kept, of %d that asked", s.Answers, len(seen))
	}
}
