package auth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/panics"
)

// TestFault: a fault in a mint is the error of who waits for it, one in a renewal
// leaves the token in use, and one in a revocation leaves the others. None ends the
// process.
func TestFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		fake := &api{
			before: func(*http.Request) {
				if broken {
					explode()
				}
			},
			mint: func(int, string) reply { return minted("ghs_1", time.Hour) },
		}
		s, log := logged(t, fake)
		_, err := s.ForOwner(t.Context(), "github.com", github.Account{Login: "acme"}, true)
		if _, ok := errors.AsType[*panics.Fault](err); !ok {
			t.Fatalf("mint: %v, want the fault", err)
		}
		broken = false
		mustToken(t, s, "acme")
		broken = true
		time.Sleep(50 * time.Minute) // past the time of its renewal
		mustToken(t, s, "acme")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Revoke(ctx); err == nil || !strings.Contains(err.Error(), "a fault of ghapp-proxy") {
			t.Errorf("revoke: %v, want the fault", err)
		}
		if text := log.String(); strings.Count(text, "level=ERROR") != 3 || strings.Count(text, "auth_test.explode") != 3 {
			t.Errorf("the log has no error with its stack for each of three faults:\n%s", text)
		}
	})
}

func explode() { panic("broken") }
