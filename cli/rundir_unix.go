//go:build unix

package cli

import (
	"os"
	"syscall"
)

// lockDir locks a directory until the file that it returns is closed, or this
// process ends. It does not wait for who holds it.
func lockDir(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}
