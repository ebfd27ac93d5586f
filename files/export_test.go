package files

import "time"

// SetPipeTime is for tests that do not run in parallel with others.
func SetPipeTime(d time.Duration) (restore func()) {
	before := pipeTime
	pipeTime = d
	return func() { pipeTime = before }
}
