package sandbox

import "golang.org/x/sys/unix"

// otherABI calls getpid by its number of x32.
func otherABI(outside) error { return call(1<<30 | unix.SYS_GETPID) }
