package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestMistyped: a repository that is not there is answered at once, also to the
// first request with a token.
func TestMistyped(t *testing.T) {
	for _, url := range []string{
		"https://github.com/acme/wigdets/info/refs?service=git-upload-pack",
		"https://api.github.com/repos/acme/wigdets",
		"https://raw.githubusercontent.com/acme/wigdets/main/README.md",
	} {
		w := start(t, nil)
		begin := time.Now()
		for range 3 {
			resp, err := w.client(t, false).Get(url)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s, want 404", url, resp.Status)
			}
		}
		took, questions := time.Since(begin), 0
		for _, r := range w.github.Requests() {
			if strings.HasSuffix(r.Path(), "/installation") {
				questions++
			}
		}
		if took > 5*time.Second || questions != 1 { // to wait for it takes six, and with a machine this busy nothing is quick
			t.Errorf("%s: three answers took %v with %d questions, want them at once with one", url, took, questions)
		}
	}
}

// TestTransferredByID: the id of a repository is that of its new owner from the
// first request on, also where another App is installed there.
func TestTransferredByID(t *testing.T) {
	for _, to := range []string{"initech", "globex"} {
		w := start(t, nil)
		client := w.client(t, false)
		get := func(path string) int {
			t.Helper()
			resp, err := client.Get("https://api.github.com" + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		if status := get("/repositories/9001/issues"); status != 200 {
			t.Fatalf("by id: %d", status)
		}
		if err := w.github.Rename("acme", "widgets", to, "widgets"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if status := get("/repositories/9001/issues"); status != 200 {
				t.Errorf("by id, after the transfer to %s: %d, want 200", to, status)
			}
		}
	}
}
