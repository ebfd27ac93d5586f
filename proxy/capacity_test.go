package proxy_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/auth"
)

// TestOneClientAsksTooMuch: what GitHub is asked for one client's sake keeps no
// other from being served, however slow GitHub is and whoever hangs up.
func TestOneClientAsksTooMuch(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int64
	w := start(t, func(s *setup) {
		hog, agent := withSecret(), withSecret()
		hog.Name = "hog"
		hog.Limits.LookupsPerMinute = 1_000_000
		s.options.Clients = clients(t, hog, agent)
	})
	w.github.Handle("api.github.com", "/users/{name}/installation", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-release
	}))
	defer close(release)
	client := w.clientAs(t, "hog", agentSecret, true)
	for i := range auth.MaxCalls + 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		go func() {
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("https://api.github.com/users/nobody-%d/repos", i), nil)
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
			}
		}()
	}
	w.eventually(t, "all that a client may ask", func() bool { return asked.Load() == auth.MaxCalls })
	if status, text := get(t, w.clientAs(t, "agent", agentSecret, true), "https://api.github.com/repos/acme/widgets"); status != 200 {
		t.Errorf("another client gets %d %s", status, text)
	}
	if n := asked.Load(); n != auth.MaxCalls {
		t.Errorf("GitHub was asked %d times at once, want %d", n, auth.MaxCalls)
	}
}
