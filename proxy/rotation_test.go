package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ghapp-proxy/auth"
)

// While clients ask as the App and as its installations, a key is added and the
// old one, which is listed first, is deleted: no client notices.
func TestKeyRotation(t *testing.T) {
	w := start(t, func(s *setup) {
		pem, err := s.github.AddKey(s.github.App("ci-bot"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := auth.ParseKey(pem)
		if err != nil {
			t.Fatal(err)
		}
		s.apps[0].Signers = append(s.apps[0].Signers, auth.NewKey(key))
	})
	const clients, each = 8, 12
	urls := []string{"https://api.github.com/app", "https://api.github.com/repos/acme/widgets", "https://api.github.com/app/installations"}
	var asked atomic.Int64
	var wg sync.WaitGroup
	for i := range clients {
		client := w.client(t, i%2 == 0)
		wg.Go(func() {
			for range each {
				n := asked.Add(1)
				if n == clients*each/2 {
					w.github.RemoveOldKeys(w.github.App("ci-bot"))
				}
				if err := getOK(client, urls[n%int64(len(urls))]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := strings.Count(w.log.String(), "GitHub refuses a key of the App: using another"); got != 1 {
		t.Errorf("the log says %d times that another key is used, want once", got)
	}
	if text := w.log.String(); strings.Contains(text, "PRIVATE KEY") {
		t.Error("the log has a key in it")
	}
}

// getOK fails if the answer is not 200.
func getOK(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, resp.Status, text)
	}
	return err
}
