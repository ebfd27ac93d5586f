package certs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// TestWithoutHardLinks: also where there are none, processes that make the first
// CA at the same time end up with the same, and nobody's is replaced.
func TestWithoutHardLinks(t *testing.T) {
	for _, why := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS} {
		link = func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: why} }
		t.Cleanup(func() { link = os.Link })
		dir := t.TempDir()
		spec := Spec{Instance: "github.com", Hosts: []string{"github.com", "api.github.com"}}
		const processes = 8
		roots := make([][]byte, processes)
		var wg sync.WaitGroup
		for i := range processes {
			wg.Go(func() {
				cas, err := Open(dir, spec)
				if err != nil {
					t.Errorf("%v: %v", why, err)
					return
				}
				roots[i] = cas[0].PEM()
			})
		}
		wg.Wait()
		for _, root := range roots[1:] {
			if !bytes.Equal(root, roots[0]) {
				t.Fatalf("%v: two processes have different CAs", why)
			}
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 || err != nil {
			t.Errorf("%v: %q is left, %v", why, left, err)
		}
		file := filepath.Join(dir, "temp")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := placeFirst(file, filepath.Join(dir, "github.com.key")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%v: a second file is placed: %v", why, err)
		}
	}
}
