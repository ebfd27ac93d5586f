package auth

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"log/slog"
	"testing"
	"time"
)

// echo is a Signer whose signature is its name.
type echo string

func (e echo) Sign(context.Context, []byte) ([]byte, error) { return []byte(e), nil }
func (e echo) String() string                               { return string(e) }

// TestClockSetBack: a JWT from what is now the future would be refused.
func TestClockSetBack(t *testing.T) {
	k := keyring{clock: &clock{}, name: "ci-bot", issuer: "1", signers: []Signer{echo("a")}, log: slog.New(slog.DiscardHandler)}
	first, err := k.sign(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k.usable() != first {
		t.Error("the JWT is not used")
	}
	k.claims.made, k.claims.until = k.claims.made.Add(time.Hour), k.claims.until.Add(time.Hour) // as if the clock had been an hour ahead
	if second, err := k.sign(t.Context()); err != nil || second == first {
		t.Errorf("jwt = the same %t, %v, want a new one", second == first, err)
	}
	if made := k.claims.made; made != made.Round(0) {
		t.Error("the JWT's times have a monotonic reading, which stops while a laptop sleeps")
	}
}

// TestRefuseLate: what comes late about a JWT that is no longer used changes nothing.
func TestRefuseLate(t *testing.T) {
	k := keyring{clock: &clock{}, name: "ci-bot", issuer: "1", signers: []Signer{echo("a"), echo("b")}, log: slog.New(slog.DiscardHandler)}
	sign := func() *header {
		h, err := k.sign(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	a := sign()
	k.refuse(a)
	b := sign()
	if !k.refuse(a) || k.usable() != b {
		t.Error("a second refusal of the first JWT ended the second")
	}
	k.accept(a)
	if k.accepted != 0 {
		t.Errorf("accepted = %d, want 0: the JWT that was accepted is not the current one", k.accepted)
	}
	k.accept(b)
	if k.accepted != 1 {
		t.Errorf("accepted = %d, want 1", k.accepted)
	}
}

// TestFingerprint: openssl sha256 -binary printed the same of this key.
func TestFingerprint(t *testing.T) {
	der, err := base64.StdEncoding.DecodeString("" +
		"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsFASUrmED4Kd6dS8rRWEc9cAk/WuA1x9" +
		"ghPr7rMtDIlO1Hb5yIsKlFKKqR5M7i7vN4cdK2TrX20zWWXw+2/djXp9zoUc9B3ILb27aKFBh60F" +
		"hQ6ix9czzmaHboziYbrl/ofAnt+oKLIHlDo2ChERYFpHCVgGtklkAFPEbrzYbXwCURxuGJriKmfH" +
		"HRMjRY3iLynm7c7PAB/t0eh4O+TCqABAuxCUREBvfFPBaZQmPsFcnA/9TNOhl0nDN1+xCmgMKFOl" +
		"UKtY+BSsY1YwlM6X6irYIQv1uA6LGmqVkNbx7edFOu0cwd5ZJIpThfAZes+PIUfda/Kyi7u3fXBu" +
		"7j0c4QIDAQAB")
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	const want = "SHA256:Fdh6EW33SIhD1evQ9Sv+HnCJ+DN3sM2dHP5elnsumIA="
	if got := fingerprint(public.(*rsa.PublicKey)); got != want {
		t.Errorf("fingerprint = %s, want %s", got, want)
	}
}
