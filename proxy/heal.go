package proxy

import (
	"net/http"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// send sends a request by next: package auth puts the credential in, sends the request
// again where GitHub refuses one that should be good, and learns from the answer.
func (x *exchange) send(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	defer since(&x.shares.github, time.Now())
	x.tell()
	return x.source.Send(next, req, &x.outgoing)
}

// tell tells package auth of a request what its answers can be about.
func (x *exchange) tell() {
	route, service := &x.Route, x.session.host.Service
	out := &x.outgoing
	*out = auth.Outgoing{
		Instance: x.session.host.Instance, Want: x.want, Credential: &x.credential, Scheme: schemes[route.Scheme],
		Subject: route.Subject, Repository: x.repository(),
		ByID: x.Asked.RepositoryID != 0, ByName: route.Subject != x.Asked,
		API: service == github.API || service == github.GHES, Git: route.GitAuth,
		GraphQL: route.Operation == "graphql" && x.Reads, UserOnly: route.UserOnly, Links: x, CheckMapping: true,
	}
	if !route.GitAuth {
		return
	}
	out.Needs = "contents=write"
	if route.Read {
		out.Needs = "contents=read"
	}
	switch route.Operation {
	case "info/refs", "git-upload-pack", "git-receive-pack":
		out.GitFetch = true
	}
}

// schemes are those of package auth.
var schemes = map[rules.Scheme]auth.Scheme{
	rules.Bearer: auth.SchemeBearer, rules.Token: auth.SchemeToken, rules.Basic: auth.SchemeBasic,
}

// repository is that which the request names, the first where there are several;
// nobody's if there is none. By id, a transfer does not hide it.
func (x *exchange) repository() github.Account {
	if x.Asked.RepositoryID != 0 {
		return x.Asked
	}
	if x.Route.Subject.Repo != "" || x.Route.Subject.RepositoryID != 0 {
		return x.Route.Subject
	}
	for _, s := range x.Route.Others {
		if s.Repo != "" || s.RepositoryID != 0 {
			return s
		}
	}
	return github.Account{}
}
