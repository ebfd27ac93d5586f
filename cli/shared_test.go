//go:build unix

package cli

import (
	"fmt"
	"strings"
	"testing"

	"ghapp-proxy/internal/redistest"
)

// TestCheckShared: the store is tried, and its password said to nobody.
func TestCheckShared(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "canary-of-the-store")
	w := newWorld(t)
	w.write(t, "valkey.url", []byte(strings.Replace(server.URL(), "//", "//:canary-of-the-store@", 1)))
	path := w.configure(t, "", "", "[shared]\nurl_file = \"valkey.url\"\n")
	if got := w.examined(t, path).lines(); !strings.Contains(got, "ok : the store answers: ") || strings.Contains(got, "canary-of") {
		t.Errorf("check: %s", got)
	}
	for name, url := range map[string]string{
		"WRONGPASS": strings.Replace(server.URL(), "//", "//:canary-of-another@", 1), "connection refused": "redis://127.0.0.1:1", "NOAUTH": server.URL(),
	} {
		w.write(t, "valkey.url", []byte(url))
		if got := w.examined(t, path).lines(); !strings.Contains(got, "failed [shared]: the store cannot be used: ") || !strings.Contains(got, name) || strings.Contains(got, "canary-of") {
			t.Errorf("%s: %s", name, got)
		}
	}
	w.write(t, "config.toml", fmt.Appendf(nil, "[shared]\nurl = \"redis://:canary-of-the-store@%s?nothing=1\"\n", server.Addr))
	if got := w.examined(t, path); got.Status != 2 || strings.Contains(got.lines(), "canary-of") {
		t.Errorf("a URL that is none: %+v", got)
	}
}
