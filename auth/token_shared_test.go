package auth

import (
	"testing"
	"time"
)

// TestTokenOfAnotherClock: a token that a replica minted whose clock is off is as old, and good for as long, as it is.
func TestTokenOfAnotherClock(t *testing.T) {
	ours, theirs := new(clock), new(clock)
	for _, off := range []time.Duration{0, time.Hour, -time.Hour} {
		// This process's clock is off by so much, and knows it; the other's, which has written it, is not.
		ours.offset.Store(int64(off))
		token := newToken("ghs_x", &Grant{}, ours.now().Add(time.Hour), ours.now())
		read, ok := decodeToken(token.Generation, token.encode(ours), theirs)
		if !ok {
			t.Fatal("it is not read")
		}
		if age := theirs.now().Add(off).Sub(read.minted); age.Abs() > 10*time.Second {
			t.Errorf("off by %v: minted %v ago", off, age)
		}
		if !read.until.Equal(token.until.Round(0)) || !read.expires.Equal(token.expires.Round(0)) || !read.renewalIs(token) {
			t.Errorf("off by %v: until %v and %v, want %v and %v", off, read.until, read.expires, token.until, token.expires)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "x", "no token": "{}", "a line": `{"Text":"ghs_1\r\nX: y","Grant":{}}`, "no grant": `{"Text":"ghs_1"}`,
	} {
		if token, ok := decodeToken(1, []byte(text), ours); ok {
			t.Errorf("%s is %v", name, token)
		}
	}
}

// renewalIs reports whether two are renewed at about the same time.
func (t *Token) renewalIs(of *Token) bool {
	return time.Duration(t.renewal.Load()-of.renewal.Load()).Abs() < 5*time.Minute
}
