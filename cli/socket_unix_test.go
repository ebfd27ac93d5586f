//go:build unix

package cli

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
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

// A directory that is made while a socket is was rw-------: nothing could be put in it.
func TestDirectoryBesideSocket(t *testing.T) {
	dir := t.TempDir()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			ln, err := listenPrivate(context.Background(), filepath.Join(dir, "s"))
			if err != nil {
				t.Error(err)
				return
			}
			ln.Close()
		}
	}()
	for i := range 2000 {
		path := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Fatalf("the directory is %v (%v), want rwx------", info.Mode(), err)
		}
	}
	close(stop)
	<-stopped
}
