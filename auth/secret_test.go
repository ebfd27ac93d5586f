package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

// TestNothingPrintsSecrets formats and logs everything there is, in every way.
func TestNothingPrintsSecrets(t *testing.T) {
	server, app := seeded(t)
	const clientSecret = "canary-client-secret"
	app.ClientID, app.ClientSecret = githubtest.CIBotClientID, clientSecret
	var out bytes.Buffer
	logs := []*slog.Logger{
		slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	transport := server.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	s := auth.New([]*auth.App{app}, auth.Options{Transport: transport, Log: logs[0]})
	defer s.Close()

	token, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := s.ForClient("github.com", "", app.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	_, suspended := s.ForOwner(t.Context(), "github.com", owner("umbrella"), true)
	if !strings.Contains(out.String(), "minted a token") {
		t.Errorf("the log does not mention the mint: %s", &out)
	}

	values := []any{
		app, *app, app.Signers, app.Signers[0], []auth.App{*app}, map[string]*auth.App{"a": app}, struct{ A auth.App }{*app},
		app.ClientSecret, &app.ClientSecret, []auth.Secret{app.ClientSecret}, struct{ S auth.Secret }{app.ClientSecret},
		token, &token, jwt, client, []auth.Credential{token, jwt, client}, s, suspended,
	}
	for _, value := range values {
		for _, verb := range "vsqdxXTtbcoOUeEfFgG" { // %p and %w ask no method, and go vet refuses them
			for _, flag := range []string{"", "+", "#"} {
				fmt.Fprintf(&out, "%"+flag+string(verb)+"\n", value)
			}
		}
		if text, err := json.Marshal(value); err == nil {
			out.Write(text)
		}
		for _, log := range logs {
			log.Info("a value", "value", value)
			log.Error(fmt.Sprint(value), slog.Group("g", "value", value))
		}
	}

	secrets := append(server.Secrets(), clientSecret, client.Basic()[0][6:], token.Basic()[0][6:], jwt.Bearer()[0][7:])
	private, err := auth.ParseKey(server.App("ci-bot").PrivateKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range append([]*big.Int{private.D}, private.Primes...) {
		secrets = append(secrets, n.String(), n.Text(16), strings.Trim(fmt.Sprint(n.Bits()), "[]"))
	}
	for _, secret := range secrets {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%.10s… was printed", form)
			}
		}
	}
	if leaks := server.Leaks(out.Bytes()); len(leaks) > 0 {
		t.Errorf("%d secrets were printed", len(leaks))
	}
}

func TestPrinting(t *testing.T) {
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 111}
	s := newSource(t, &api{}, 0, app)
	token, _ := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
	jwt, _ := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
	for _, test := range []struct {
		value any
		want  string
	}{
		{auth.Secret("x"), "[redacted]"},
		{app, "ci-bot"},
		{auth.Credential{}, "none"},
		{token, "installation 111 of App ci-bot"},
		{jwt, "App ci-bot"},
		{owner("acme/widgets"), "acme/widgets"},
		{owner("enterprises/corp"), "enterprises/corp"},
		{auth.FallbackRefuse, "refuse"},
	} {
		if got := fmt.Sprint(test.value); got != test.want {
			t.Errorf("%T prints as %q, want %q", test.value, got, test.want)
		}
	}
}
