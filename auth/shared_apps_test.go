package auth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// TestSharedByApp: what one App's replicas share is nothing to another App, though one secret seals for both and both are
// installed at the same place.
func TestSharedByApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mint = "POST /app/installations/111/access_tokens"
		fake, store := &api{}, newOctets()
		source := func(id int64) *auth.Source {
			app := newApp("ci-bot", id)
			app.Installations = map[string]github.InstallationID{"acme": 111}
			s := auth.New([]*auth.App{app}, auth.Options{Transport: fake, Fallback: auth.FallbackRefuse, Shared: store, SharedSecrets: [][]byte{[]byte("a secret of all Apps, 32 octets !")}})
			t.Cleanup(s.Close)
			mustToken(t, s, "acme")
			synctest.Wait()
			return s
		}
		one, other := source(12345), source(67890)
		if n := fake.count(mint); n != 2 || store.dropped > 0 {
			t.Errorf("%d tokens for two Apps, and %d values in the other's place, want 2 and none", n, store.dropped)
		}

		fake.set("GET /user", reply{status: 200, body: "{}", header: http.Header{
			"X-Ratelimit-Resource": {"core"}, "X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"17"}, "X-Ratelimit-Reset": {fmt.Sprint(time.Now().Add(time.Hour).Unix())},
		}})
		ask(t, one, fake)
		if got := remaining(one); len(got) != 1 || got[0] != 17 {
			t.Fatalf("the App that was told knows of %v left", got)
		}
		if got := remaining(other); len(got) > 0 {
			t.Errorf("another App knows of %v left", got)
		}

		// Whoever writes the store gives one App's values to the other.
		store.mu.Lock()
		for key, value := range store.values {
			if strings.Contains(key, "12345") {
				store.values[strings.ReplaceAll(key, "12345", "67890")] = value
			}
		}
		store.mu.Unlock()
		source(67890)
		if n := fake.count(mint); n != 3 || store.dropped == 0 {
			t.Errorf("%d tokens, %d values dropped: want 3, and the ones that are another App's dropped", n, store.dropped)
		}
	})
}

// ask sends GET /user with acme's token.
func ask(t *testing.T, s *auth.Source, fake http.RoundTripper) {
	t.Helper()
	want := auth.Want{Owner: owner("acme")}
	cred, err := s.Token(t.Context(), "github.com", want)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/user", nil)
	resp, err := s.Send(fake, req, &auth.Outgoing{Instance: "github.com", Want: want, Credential: &cred, Scheme: auth.SchemeBearer, API: true})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	synctest.Wait()
}

// remaining is what a Source knows to be left of quotas.
func remaining(s *auth.Source) (left []int) {
	for _, app := range s.Stats().Apps {
		for _, inst := range app.Installations {
			for _, q := range inst.Quotas {
				left = append(left, q.Remaining)
			}
		}
	}
	return left
}
