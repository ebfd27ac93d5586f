package auth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
)

// TestSoak runs clients for days of tokens' lives while GitHub and the network
// fail now and then: nobody gets a token that has expired, an error is GitHub's
// or the network's, and there is hardly a mint more than lives demand.
func TestSoak(t *testing.T) {
	const (
		days    = 3
		owners  = 5
		clients = 20
	)
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ends := map[string]time.Time{}
		github := &api{before: func(*http.Request) { time.Sleep(rand.N(2 * time.Second)) }}
		github.mint = func(n int, _ string) reply {
			switch rand.N(10) {
			case 0:
				return reply{status: 502}
			case 1:
				return reply{err: errors.New("connection reset")}
			case 2:
				return reply{status: 403, body: `{"message":"You have exceeded a secondary rate limit."}`, header: http.Header{"Retry-After": {"20"}}}
			}
			token, life := fmt.Sprintf("ghs_%d", n), time.Hour
			mu.Lock()
			ends[token] = time.Now().Add(life)
			mu.Unlock()
			return minted(token, life)
		}
		s := manySource(t, github, owners)
		var wg sync.WaitGroup
		var asked, failed int
		end := time.Now().Add(days * 24 * time.Hour)
		for range clients {
			wg.Go(func() {
				for time.Now().Before(end) {
					time.Sleep(rand.N(5 * time.Minute))
					cred, err := s.ForOwner(context.Background(), "github.com", owner(fmt.Sprintf("o%d", rand.N(owners))), true)
					mu.Lock()
					asked++
					if refused := (*auth.Error)(nil); errors.As(err, &refused) {
						failed++
					} else if err != nil || !time.Now().Before(ends[strings.TrimPrefix(cred.Bearer()[0], "Bearer ")]) {
						t.Errorf("ForOwner = %v, %v, want a token that is good", cred, err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if lives := owners * days * 24; len(ends) > lives*3/2 || failed > asked/100 {
			t.Errorf("%d tokens in %d lives, %d of %d requests failed, want hardly more and hardly any", len(ends), lives, failed, asked)
		}
		t.Logf("%d requests, %d failed; %d tokens in %d hours of 5 owners", asked, failed, len(ends), days*24)
	})
}
