package auth

import (
	"net/http"
	"strings"

	"ghapp-proxy/github"
)

// Client returns a client of a GitHub instance that is authenticated as the
// installation that covers owner, for programs that speak to GitHub themselves.
// A zero owner is nobody, as for Token.
//
// Requests to the API of the instance are authenticated, and no others: where
// GitHub redirects to storage elsewhere, the token stays behind. Errors wrap
// Token's. Among several Apps, what is left of the core limit decides.
func (s *Source) Client(instance github.Instance, owner github.Account) *http.Client {
	return &http.Client{Transport: &ownerTransport{source: s, instance: instance, owner: owner}}
}

// ownerTransport adds an owner's token to what goes to the API.
type ownerTransport struct {
	source   *Source
	instance github.Instance
	owner    github.Account
}

// RoundTrip implements http.RoundTripper.
func (t *ownerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.isAPI(req) {
		return t.source.transport.RoundTrip(req)
	}
	read := req.Method == "" || req.Method == http.MethodGet || req.Method == http.MethodHead
	want := Want{Owner: t.owner, Read: read}
	cred, err := t.source.Token(req.Context(), t.instance, want)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	out := req.Clone(req.Context())
	delete(out.Header, "Authorization")
	return t.source.Send(t.source.transport, out, &Outgoing{Instance: t.instance, Want: want, Credential: &cred, Scheme: SchemeBearer, API: true, Subject: t.owner})
}

// isAPI reports whether a request goes to the API of the instance, over TLS
// wherever that is.
func (t *ownerTransport) isAPI(req *http.Request) bool {
	for _, app := range t.source.apps[t.instance] {
		// Of an Enterprise Server it is /api/v3, /api/graphql and /api/uploads.
		within := strings.TrimSuffix(app.API.Path, "v3")
		if req.URL.Scheme == app.API.Scheme && strings.EqualFold(req.URL.Host, app.API.Host) && strings.HasPrefix(req.URL.Path, within) {
			return true
		}
	}
	return false
}
