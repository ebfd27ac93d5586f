package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// fickle signs otherwise each time, as for RSASSA-PSS.
type fickle struct{ signed *atomic.Int64 }

func (f fickle) Sign(context.Context, []byte) ([]byte, error) {
	return fmt.Appendf(nil, "signature %d", f.signed.Add(1)), nil
}
func (f fickle) String() string { return "fickle" }

// TestRefusedForEver: a GitHub that refuses every JWT is not asked for ever, whatever
// it says to be wrong, by what is forwarded nor by the Source's own calls.
func TestRefusedForEver(t *testing.T) {
	for _, test := range []struct {
		name, message string
		most          int // requests
	}{
		{"the key", auth.KeyComplaint, 4},
		{"the times, by another clock each time", "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued", 2},
		{"something else", "Bad credentials", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{}
			begin, asked := time.Now(), 0
			fake.clock = func() time.Time { return begin.Add(time.Duration(asked) * time.Hour) }
			fake.judge = func(*http.Request) (reply, bool) {
				asked++
				return jwtRefused(test.message), true
			}
			app := newApp("ci-bot", 1)
			app.Signers = []auth.Signer{fickle{new(atomic.Int64)}, fickle{new(atomic.Int64)}}
			s := newSource(t, fake, auth.FallbackRefuse, app)
			cred, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
			if err != nil {
				t.Fatal(err)
			}
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/app", nil)
			out := &auth.Outgoing{Instance: "github.com", Credential: &cred, Scheme: auth.SchemeBearer, API: true}
			resp, err := s.Send(fake, req, out)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 401 || asked > test.most || out.Tries != asked {
				t.Errorf("%s: %d after %d requests, said to be %d, want 401 after %d at most", test.name, resp.StatusCode, asked, out.Tries, test.most)
			}
			time.Sleep(time.Minute)
			asked = 0
			if got := whose(t, s, "acme", true); got != "error" || asked > test.most {
				t.Errorf("%s: a look-up came to %s after %d requests, want an error after %d at most", test.name, got, asked, test.most)
			}
		})
	}
}
