package main

import (
	"os"
	"strings"
	"sync"

	"ghapp-proxy/oidc/oidctest"

	"github.com/rogpeppe/go-internal/testscript"
)

// issuers are those that stories have started.
var issuers sync.Map

// issuerCommand is the command of stories about tokens:
//
//	issuer start CLAIM=VALUE …       start an issuer, $ISSUER; its CA is in issuer.pem; a job gets tokens with these claims
//	issuer token FILE CLAIM=VALUE …  write a token
//	issuer keys FILE                 write its keys
//	issuer bundle FILE               write its keys as those of a trust domain of SPIFFE
//
// A claim with a slash before its name is nested: kubernetes.io/namespace=ci. One without a
// value is left out.
func issuerCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: issuer start|token|keys|bundle …")
	}
	if args[0] == "start" {
		i := oidctest.New()
		ts.Defer(i.Close)
		i.Job = claimsOf(args[1:])
		ts.Check(os.WriteFile(ts.MkAbs("issuer.pem"), i.RootsPEM(), 0o600))
		ts.Setenv("ISSUER", i.URL)
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", i.URL+"/actions/token?api-version=2.0")
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", oidctest.ActionsToken)
		issuers.Store(ts.Name()+ts.Getenv("WORK"), i)
		return
	}
	found, ok := issuers.Load(ts.Name() + ts.Getenv("WORK"))
	if !ok || len(args) < 2 {
		ts.Fatalf("issuer start comes first")
	}
	i := found.(*oidctest.Issuer)
	text := i.JWKS()
	switch args[0] {
	case "token":
		text = []byte(i.Token(claimsOf(args[2:])))
	case "bundle":
		text = i.Bundle()
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

func claimsOf(words []string) map[string]any {
	claims := make(map[string]any)
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		above, inner, nested := strings.Cut(name, "/")
		if !nested {
			if claims[name] = value; value == "" {
				claims[name] = nil
			}
			continue
		}
		table, _ := claims[above].(map[string]any)
		if table == nil {
			table = make(map[string]any)
		}
		table[inner] = value
		claims[above] = table
	}
	return claims
}
