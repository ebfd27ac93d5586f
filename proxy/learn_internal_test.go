package proxy

import (
	"net/http"
	"testing"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// TestNamedBy: nobody learns whose an id is from a request whose credential is not just
// its owner's.
func TestNamedBy(t *testing.T) {
	h := http.Header{"Link": {`<https://api.github.com/repositories/9001/issues?page=2>; rel="next"`}}
	for name, change := range map[string]func(*exchange){
		"":                       func(*exchange) {},
		"a rule chose":           func(x *exchange) { x.Route.Rule = 1 },
		"a placeholder chose":    func(x *exchange) { x.placeholder = &placeholder{} },
		"the default owner's":    func(x *exchange) { x.Route.Source = "default owner" },
		"it is no API's":         func(x *exchange) { x.Route.Form = answer.Text },
		"it names no owner":      func(x *exchange) { x.Route.Subject = github.Account{} },
		"it is of another owner": func(x *exchange) { x.Route.Subject = github.Account{Login: "acme"} },
	} {
		x := &exchange{path: "/repos/acme/widgets/issues"}
		x.Route = rules.Route{Subject: widgets, Form: answer.JSON, Source: "path"}
		x.session.host = github.Host{Instance: github.GitHubCom, Name: "api.github.com", Service: github.API}
		change(x)
		if got := x.NamedBy(h); (got.RepositoryID == 9001) != (name == "") {
			t.Errorf("%s: learned of %v", name, got)
		}
	}
}
