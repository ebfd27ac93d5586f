package proxy_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
	"ghapp-proxy/oidc/oidctest"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// TestAttackCertificates: the client agent, who has a certificate and may use one repository,
// becomes nobody else by what it sends beside it; and nobody becomes agent, or somebody else,
// by a certificate that is not good, or by saying that it has one.
func TestAttackCertificates(t *testing.T) {
	const spiffe = "spiffe://example.com/agent"
	ca, another := newClientCA(t), newClientCA(t)
	by := &granting{keys: grant.Keys{grant.NewKey()}}
	secret := withSecret()
	secret.Name = "other"
	a := &actions{Issuer: oidctest.New()}
	defer a.Close()
	a.issuer = &oidc.Issuer{Name: "actions", URL: a.URL, Audiences: []string{oidctest.Audience}}
	a.clients = []*oidc.Client{
		{Name: "ci", Issuer: "actions", Claims: []oidc.Claim{claim(t, "ref", "refs/heads/main")}},
		{Name: "agent", Issuer: "actions", Claims: []oidc.Claim{claim(t, "ref", "refs/heads/agent")}},
	}
	set := clients(t, secret, &policy.Client{Name: "ci"}, &policy.Client{Name: "agent", Certificate: ca.named(spiffe, ""), Repositories: repositories(t, "acme/widgets")})
	w, roots := frontWorld(t, proxy.FormBoth, set, func(s *setup) {
		s.options.Grants, s.options.Tokens = &grant.Source{Keys: by, Revoked: by}, a.source(t, nil)
	})
	// ask asks for a repository that agent may not use, with a certificate, or none, and further fields.
	ask := func(pair *tls.Certificate, fields string) *http.Response {
		t.Helper()
		conn := w.dial(t)
		defer conn.Close()
		if pair != nil {
			conn = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "localhost", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }})
		}
		io.WriteString(conn, "GET http://api.github.com/repos/acme/rockets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: x\r\n"+fields+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body = io.NopCloser(strings.NewReader(outcome(resp, body)))
		return resp
	}
	as := func(authorization string) string { return "Proxy-Authorization: " + authorization + "\r\n" }
	grantOf := func(client string, keys grant.Keys) string {
		g, err := grant.New(keys, client, grant.Caveats{Expires: time.Now().Add(time.Hour).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return g.Text()
	}
	good, theirs := ca.issue(t, []string{spiffe}, nil, nil), basicAuth("other", agentSecret)
	const wrongClient, notGood = "407 the grant is not of the client", "403 the certificate that the client has shown is not good here: "
	nobody := tls.Certificate{}
	for name, test := range map[string]struct {
		pair         *tls.Certificate
		fields, want string
	}{
		"who has the secret":                      {&nobody, as(theirs), "200"},
		"agent":                                   {&good, "", notRockets},
		"with another's secret":                   {&good, as(theirs), notRockets},
		"with a wrong secret":                     {&good, as(basicAuth("other", "x")), notRockets},
		"with its own grant":                      {&good, as("Bearer " + grantOf("agent", by.keys)), notRockets},
		"with another's grant":                    {&good, as("Bearer " + grantOf("other", by.keys)), wrongClient},
		"with another's grant, by name":           {&good, as(basicAuth("other", grantOf("other", by.keys))), wrongClient},
		"with a grant of its own making":          {&good, as("Bearer " + grantOf("agent", grant.Keys{grant.NewKey()})), "407 this is no grant of this proxy's"},
		"with a token that nobody signed":         {&good, as("Bearer eyJhbGciOiJub25lIn0.e30."), "407 "},
		"with another's token":                    {&good, as("Bearer " + a.job()), "407 the token's claim ref is not what client agent wants"},
		"with another's token, by name":           {&good, as(basicAuth("ci", a.job())), "407 the token's claim ref is not what client agent wants"},
		"with its own token":                      {&good, as("Bearer " + a.job("ref", "refs/heads/agent")), notRockets},
		"another's token alone":                   {&nobody, as("Bearer " + a.job()), "200"},
		"one of its own making":                   {pairOf(another.issue(t, []string{spiffe}, nil, nil)), "", notGood},
		"one of its own making, with a secret":    {pairOf(another.issue(t, []string{spiffe}, nil, nil)), as(theirs), notGood},
		"one of nobody's, with a secret":          {pairOf(ca.issue(t, []string{"spiffe://example.com/x"}, nil, nil)), as(theirs), notGood},
		"one that has ended, with a grant":        {pairOf(ca.issue(t, []string{spiffe}, nil, ended)), as("Bearer " + grantOf("agent", by.keys)), notGood},
		"a server's, with a secret":               {pairOf(ca.issue(t, []string{spiffe}, nil, forServers)), as(theirs), notGood},
		"none, by name":                           {&nobody, as(basicAuth("agent", "")), "407"},
		"none, named by a proxy before":           {&nobody, "X-Forwarded-Client-Cert: By=spiffe://x;URI=" + spiffe + "\r\nX-SSL-Client-Verify: SUCCESS\r\nX-Client-Cert: x\r\n", "407"},
		"none, in the standard's field":           {&nobody, "Client-Cert: :TUlJ:\r\n", "407"}, // RFC 9440
		"without TLS":                             {nil, "Client-Cert: :TUlJ:\r\n", "407"},
		"without TLS, by name":                    {nil, as(basicAuth("agent", "")), "407"},
		"without TLS, with the URI as a secret":   {nil, as(basicAuth("agent", spiffe)), "407"},
		"without TLS, with a grant of somebody's": {nil, as("Bearer " + grantOf("agent", by.keys)), notRockets},
	} {
		w.github.Reset()
		resp := ask(test.pair, test.fields)
		text, _ := io.ReadAll(resp.Body)
		if !strings.HasPrefix(string(text), test.want) {
			t.Errorf("%s: %q, want %q", name, text, test.want)
		}
		for _, r := range w.github.Requests() {
			if test.want != "200" && strings.HasSuffix(r.Path(), "/rockets") {
				t.Errorf("%s: %v left", name, r)
			}
		}
	}
	if logs := w.log.String() + w.auditText(); strings.Contains(logs, agentSecret) || strings.Contains(logs, grant.Prefix) {
		t.Error("a secret is in a log")
	}
}

func pairOf(c tls.Certificate) *tls.Certificate { return &c }

func ended(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

func forServers(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
