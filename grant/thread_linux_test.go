package grant

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is how long this thread has run: clock_gettime(2).
func threadTime() time.Duration {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &at) != nil {
		return 0
	}
	return time.Duration(at.Nano())
}
