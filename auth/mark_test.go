package auth_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/leak"
)

// TestKeyMarks: a key is recognised in both of its forms, by lines that are no
// part of the public key.
func TestKeyMarks(t *testing.T) {
	larger, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*rsa.PrivateKey{testKey(), larger} {
		lines := auth.KeyLines(key)
		if !auth.NewKey(key).Marks().Covers(leak.Of(lines...)) {
			t.Errorf("%d bits: a line is no mark", key.N.BitLen())
		}
		found := func(text []byte) (n int) {
			for _, line := range lines {
				if bytes.Contains(text, []byte(line)) {
					n++
				}
			}
			return n
		}
		pkcs1 := x509.MarshalPKCS1PrivateKey(key)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		for form, der := range map[string][]byte{"PKCS#1": pkcs1, "PKCS#8": pkcs8} {
			text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
			oneLine := []byte(strings.ReplaceAll(string(text), "\n", `\n`))
			for wrapping, text := range map[string][]byte{"PEM": text, "one line": oneLine, "no lines": []byte(base64.StdEncoding.EncodeToString(der))} {
				if n := found(text); n != 2 {
					t.Errorf("%d bits, %s, %s: %d marks found, want 2", key.N.BitLen(), form, wrapping, n)
				}
			}
		}
		for _, line := range lines {
			if der, err := base64.StdEncoding.DecodeString(line); err != nil || len(der) != 48 || bytes.Contains(key.N.Bytes(), der) {
				t.Errorf("%d bits: a mark of %d octets, %v, want a line of 48 that is not of the modulus", key.N.BitLen(), len(der), err)
			}
		}
		for _, der := range [][]byte{public, x509.MarshalPKCS1PublicKey(&key.PublicKey)} {
			if n := found([]byte(base64.StdEncoding.EncodeToString(der))); n != 0 {
				t.Errorf("%d bits: %d marks found in the public key", key.N.BitLen(), n)
			}
		}
	}
}

// TestCredentialsHaveMarksOfKeys: each kind of credential has them, of all of the
// App's keys that are here, at no cost to a request.
func TestCredentialsHaveMarksOfKeys(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	app := newApp("a", 1)
	app.Signers = append(app.Signers, auth.NewKey(other), remoteSigner{app.Signers[0]})
	app.ClientID, app.ClientSecret = "Iv1.a", "the-client-secret"
	app.Installations = map[string]github.InstallationID{"acme": 11}
	s := newSource(t, &api{}, auth.FallbackRefuse, app)
	for kind, get := range map[string]func() (auth.Credential, error){
		"token": func() (auth.Credential, error) {
			return s.Token(t.Context(), "github.com", auth.Want{Owner: github.Account{Login: "acme"}})
		},
		"JWT":           func() (auth.Credential, error) { return s.ForApp(t.Context(), "github.com", "a", 0, github.Account{}) },
		"client secret": func() (auth.Credential, error) { return s.ForClient("github.com", "a", "Iv1.a") },
	} {
		cred, err := get()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for i, key := range []*rsa.PrivateKey{testKey(), other} {
			if !cred.Marks().Covers(auth.NewKey(key).Marks()) {
				t.Errorf("%s: a mark of key %d is missing", kind, i)
			}
		}
		if n := testing.AllocsPerRun(100, func() { cred.Marks() }); n != 0 {
			t.Errorf("%s: Marks makes %v allocations", kind, n)
		}
	}
}

// remoteSigner is one whose key is not here.
type remoteSigner struct{ auth.Signer }
