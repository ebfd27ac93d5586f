package proxy

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A connection may be idle for as long as the limit, after each request anew.
func TestIdleLimit(t *testing.T) {
	const limit = time.Minute
	for name, test := range map[string]struct {
		use    func(*slot)
		closes time.Duration // after the beginning
	}{
		"never used": {func(s *slot) { s.note(http.StateIdle) }, limit},
		"used once": {func(s *slot) {
			s.note(http.StateIdle)
			time.Sleep(limit / 2)
			s.note(http.StateActive)
			s.note(http.StateIdle)
		}, limit * 3 / 2},
		"a long request": {func(s *slot) { s.note(http.StateActive); time.Sleep(5 * limit); s.note(http.StateIdle) }, 6 * limit},
		"used at the last": {func(s *slot) {
			s.note(http.StateIdle)
			time.Sleep(limit - 1)
			s.note(http.StateActive)
			s.note(http.StateIdle)
		}, 2*limit - 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				s := &slot{}
				c := &interceptedConn{Conn: ours}
				start := time.Now()
				c.idle.start(ours, s, limit)
				go test.use(s)
				theirs.Read(make([]byte, 1)) // until it is closed
				if took := time.Since(start); took < test.closes || took > test.closes+limit/10 {
					t.Errorf("closed after %v, want %v", took, test.closes)
				}
				c.idle.stop()
			})
		})
	}
}

// A connection that has ended is not looked at again.
func TestIdleLimitStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var l idleLimit
		s := &slot{}
		s.note(http.StateIdle)
		l.start(ours, s, time.Minute)
		l.stop()
		theirs.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := theirs.Read(make([]byte, 1)); err == nil {
			t.Error("it was written to")
		} else if nerr, ok := err.(net.Error); !ok || !nerr.Timeout() {
			t.Errorf("it was closed: %v", err)
		}
	})
}
