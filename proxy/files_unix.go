//go:build unix

package proxy

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// maxFiles is how many files the process may have open, 0 if that is not limited.
// Package os has raised it as far as it goes.
func maxFiles() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}

// lowestFile is the descriptor that the next file gets: so many, at least, are open.
func lowestFile() (int, error) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return int(f.Fd()), nil
}
