package cli

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ghapp-proxy/config"
	"ghapp-proxy/oidc/oidctest"
)

// TestExchangeWithNobody: a token is sent to no proxy for which nobody vouches, and nothing that answers is taken for a grant.
func TestExchangeWithNobody(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Write([]byte(`{"access_token":"ghapg_not-a-grant"}`))
	}))
	defer proxy.Close()
	issuer := oidctest.New()
	defer issuer.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(issuer.Token(nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ca   []byte
		want string
		sent int64
	}{
		{nil, "--ca FILE says who may have the token", 0},
		{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw}), "is this the address of ghapp-proxy?", 1},
	} {
		asked.Store(0)
		flags := oidcFlags{source: file}
		err := flags.exchange(t.Context(), address, test.ca)
		if err == nil || !strings.Contains(err.Error(), test.want) || asked.Load() != test.sent || address.User != nil {
			t.Errorf("%v after %d requests, want %q after %d", err, asked.Load(), test.want, test.sent)
		}
	}
	flags := envFlags{}
	for text, want := range map[string]bool{
		"http://127.0.0.1:8080": false, "https://localhost:8443": false, "https://proxy.example.com:8443": true, "http://192.0.2.1:8080": true,
	} {
		at, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := flags.isUnvouched(&config.Config{}, at); got != want {
			t.Errorf("isUnvouched(%s) = %v, want %v", text, got, want)
		}
	}
}
