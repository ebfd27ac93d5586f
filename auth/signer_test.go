package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"
)

// TestClockSetBack: a JWT from what is now the future would be refused.
func TestClockSetBack(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := signer{clock: &clock{}, app: &App{Name: "ci-bot", ID: 1, Key: key}}
	first, err := s.jwt()
	if err != nil {
		t.Fatal(err)
	}
	s.made, s.until = s.made.Add(time.Hour), s.until.Add(time.Hour) // as if the clock had been an hour ahead
	if second, err := s.jwt(); err != nil || second == first {
		t.Errorf("jwt = the same %t, %v, want a new one", second == first, err)
	}
	if s.made != s.made.Round(0) {
		t.Error("the JWT's times have a monotonic reading, which stops while a laptop sleeps")
	}
}
