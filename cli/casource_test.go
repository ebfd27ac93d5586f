package cli

import (
	"bytes"
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/certs"
	"ghapp-proxy/config"
)

func TestCertificates(t *testing.T) {
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{"github.com"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Certificate("github.com")
	if err != nil {
		t.Fatal(err)
	}
	leafPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})
	for _, tt := range []struct {
		name, text, want string
	}{
		{"a CA", "some words\n" + string(ca.PEM()), ""},
		{"nothing", "", "no certificate"},
		{"a page", "<html>", "no certificate"},
		{"a key", string(ca.PEM()) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", `"PRIVATE KEY"`},
		{"damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"},
		{"a leaf", string(leafPEM), "not a CA's"},
		{"too long", strings.Repeat("\n", maxCA) + string(ca.PEM()), "too long"},
	} {
		got, err := certificates(strings.NewReader(tt.text))
		switch {
		case tt.want == "" && (err != nil || !bytes.Equal(got, ca.PEM())):
			t.Errorf("%s: %q, %v", tt.name, got, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestFetchCA(t *testing.T) {
	ca := testCA(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // is not asked
	answer := func(w http.ResponseWriter, _ *http.Request) { w.Write(ca) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.URL.Path != "/ca.pem" {
			t.Errorf("it asks for %s, with %q", r.URL.Path, r.Header)
		}
		answer(w, r)
	}))
	defer server.Close()
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("u", "secret")
	if got, err := fetchCA(context.Background(), address); err != nil || !bytes.Equal(got, ca) {
		t.Errorf("fetchCA = %q, %v", got, err)
	}
	for name, faulty := range map[string]http.HandlerFunc{
		"404":        http.NotFound,
		"302":        func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"no certifi": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) },
		"too long":   func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 2*maxCA)) },
	} {
		answer = faulty
		if _, err := fetchCA(context.Background(), address); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("an answer with %s: %v", name, err)
		}
	}
}

func TestReadCA(t *testing.T) {
	ca := testCA(t)
	path := writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), ca)
	if got, err := readCA(path); err != nil || !bytes.Equal(got, ca) {
		t.Errorf("readCA = %q, %v", got, err)
	}
	if _, err := readCA(path + "x"); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestProxyAddress(t *testing.T) {
	for _, tt := range []struct{ listen, flag, want string }{
		{"127.0.0.1:8080", "", "http://127.0.0.1:8080"},
		{"0.0.0.0:8080", "http://proxy.example:3128/", "http://proxy.example:3128"},
		{"0.0.0.0:8443", "https://proxy.example", "https://proxy.example"},
		{"", "http://u:p-w_1~.@[2001:db8::1]:1", "http://u:p-w_1~.@[2001:db8::1]:1"},
	} {
		if got, err := proxyAddress(&config.Config{Fixed: config.Fixed{Listen: tt.listen}}, tt.flag); err != nil || got.String() != tt.want {
			t.Errorf("proxyAddress(%q, %q) = %v, %v, want %s", tt.listen, tt.flag, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ listen, flag, want string }{
		{"0.0.0.0:8080", "", "every address"}, {"127.0.0.1:0", "", "random port"},
		{"", "ftp://x:1", "not a URL"}, {"", "x:1", "not a URL"}, {"", "http://x/path", "not a URL"}, {"", "http://x?secret", "not a URL"}, {"", "http://%zzsecret", "not a URL"},
		{"", "http://u@x", "both a user"}, {"", "http://u:@x", "both a user"}, {"", "http://:secret@x", "both a user"}, {"", "http://u:secret%40@x", "both a user"}, {"", "http://u:secret!@x", "both a user"},
	} {
		if got, err := proxyAddress(&config.Config{Fixed: config.Fixed{Listen: tt.listen}}, tt.flag); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("proxyAddress(%q, %q) = %v, %v, want an error with %q", tt.listen, tt.flag, got, err, tt.want)
		}
	}
}
