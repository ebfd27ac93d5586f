package auth_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// jwtOf returns the JWT for the first App's routes.
func jwtOf(t testing.TB, s *auth.Source) string {
	t.Helper()
	cred, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
	if err != nil {
		t.Fatalf("ForApp: %v", err)
	}
	if len(cred.Bearer()) != 1 || cred.Token() != nil || cred.Basic() != nil || cred.Anonymous() {
		t.Fatalf("a JWT must be sent as Bearer only")
	}
	return strings.TrimPrefix(cred.Bearer()[0], "Bearer ")
}

// openJWT checks the signature (RFC 7515, section 5.2; RFC 7518, section 3.3)
// and returns the JSON of header and claims.
func openJWT(t testing.TB, token string, key *rsa.PublicKey) (header, claims string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the JWT has %d parts, want 3", len(parts))
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			t.Fatalf("part %d of the JWT: %v", i, err)
		}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw[2]); err != nil {
		t.Errorf("the JWT's signature: %v", err)
	}
	return string(raw[0]), string(raw[1])
}

func TestJWT(t *testing.T) {
	tests := []struct {
		id       int64
		clientID string
		iss      string
	}{
		{12345, "", `"12345"`},
		{0, "Iv23liCIBOTCIBOTCIBO", `"Iv23liCIBOTCIBOTCIBO"`},
		{12345, "Iv23liCIBOTCIBOTCIBO", `"12345"`}, // GHES before 3.14 has no client ids
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(123456789 * time.Nanosecond) // fractions must not show
			app := newApp("ci-bot", test.id)
			app.ClientID = test.clientID
			header, claims := openJWT(t, jwtOf(t, newSource(t, nil, 0, app)), &testKey().PublicKey)
			if want := `{"alg":"RS256","typ":"JWT"}`; header != want {
				t.Errorf("header = %s, want %s", header, want)
			}
			now := time.Now().Unix()
			want := fmt.Sprintf(`{"exp":%d,"iat":%d,"iss":%s}`, now+540, now-60, test.iss)
			if claims != want {
				t.Errorf("claims = %s, want %s", claims, want)
			}
		})
	}
}

func TestJWTIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, nil, 0, newApp("ci-bot", 1))
		first := jwtOf(t, s)
		time.Sleep(8*time.Minute - time.Second)
		if jwtOf(t, s) != first {
			t.Error("after 7:59 the JWT is another one, want the cached one")
		}
		time.Sleep(time.Second)
		second := jwtOf(t, s)
		if second == first {
			t.Error("after 8:00 the JWT is the old one, want a new one: it has a minute left")
		}
		time.Sleep(5 * time.Minute)
		if jwtOf(t, s) != second {
			t.Error("the second JWT is not cached")
		}
	})
}

func TestJWTIsPerApp(t *testing.T) {
	a := newApp("a", 1)
	b := newApp("b", 2)
	b.Installations = map[string]github.InstallationID{"acme": 7}
	s := newSource(t, nil, 0, a, b)
	of := func(id github.InstallationID) string {
		cred, err := s.ForApp(t.Context(), "github.com", "", id, github.Account{})
		if err != nil {
			t.Fatal(err)
		}
		return cred.Bearer()[0]
	}
	if of(0) == of(7) {
		t.Error("two Apps got the same JWT")
	}
}
