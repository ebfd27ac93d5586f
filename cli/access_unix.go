//go:build unix

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// mayWriteIn reports why no file can be made in a directory.
func mayWriteIn(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return &os.PathError{Op: "write in", Path: dir, Err: err}
	}
	return nil
}
