package cli

import (
	"sync"
	"time"
)

// ReloadState is what became of the configuration since the start of `serve`, for
// who asks whether the proxy is ready, and for metrics.
type ReloadState struct {
	// Generation is 1 for the configuration of the start, and one more with each
	// that was put in force since.
	Generation int
	Since      time.Time // when the one in force was
	// Err says what was wrong with what was read last, nil if that is in force. It
	// contains no secret. FailedAt is when that was.
	Err      error
	FailedAt time.Time
	Failures int // how often something was wrong, since the start
	// Restart are the keys that have another value in the file than in force, for
	// which the proxy must be restarted. Sorted.
	Restart []string
	// Draining says that the proxy is about to end: it serves on for a moment, but
	// should not be given anything new.
	Draining bool
}

// reloadState keeps a ReloadState. It is safe for concurrent use.
type reloadState struct {
	mu  sync.Mutex
	now ReloadState
}

// get is the state of now. The caller must not change Restart.
func (s *reloadState) get() ReloadState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// succeeded notes that a configuration was put in force, but for some keys.
func (s *reloadState) succeeded(restart []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Generation++
	s.now.Since, s.now.Err, s.now.FailedAt, s.now.Restart = time.Now(), nil, time.Time{}, restart
}

// failed notes that one was not.
func (s *reloadState) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Failures++
	s.now.Err, s.now.FailedAt = err, time.Now()
}

// drain notes that the end has begun.
func (s *reloadState) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Draining = true
}
