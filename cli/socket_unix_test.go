//go:build unix

package cli

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ghapp-proxy/policy"
)

func TestSocketMode(t *testing.T) {
	const strict = 0o077
	before := syscall.Umask(strict)
	defer syscall.Umask(before)
	path := filepath.Join(t.TempDir(), "agent.sock")
	ln, err := listenFor(context.Background(), &policy.Client{Name: "agent", Listen: "unix:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket is %v (%v), want rw-rw-rw-", info.Mode(), err)
	}
	if now := syscall.Umask(strict); now != strict {
		t.Errorf("the umask is %#o, want %#o as before", now, strict)
	}
}
