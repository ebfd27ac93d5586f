package proxy

import (
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatch: what waits for longer than the limit is ended, and nothing else is.
func TestWatch(t *testing.T) {
	const limit = time.Minute
	for name, test := range map[string]struct {
		during func(*watch)
		want   int // operations that were ended
	}{
		"nothing waits any more": {func(w *watch) { w.begin(); time.Sleep(limit / 2); w.end(); time.Sleep(3 * limit) }, 0},
		"one after another": {func(w *watch) {
			for range 10 {
				w.begin()
				time.Sleep(limit - 1)
				w.end()
			}
		}, 0},
		"one waits":        {func(w *watch) { w.begin(); time.Sleep(limit - 1); w.end(); w.begin(); time.Sleep(limit + 1) }, 1},
		"one of two waits": {func(w *watch) { w.begin(); w.begin(); w.end(); time.Sleep(limit + 1) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := 0
				w := &watch{limit: limit, expire: func(*http.ResponseController, time.Time) error { ended++; return nil }}
				test.during(w)
				synctest.Wait()
				if ended != test.want {
					t.Errorf("%d were ended, want %d", ended, test.want)
				}
				w.close()
			})
		})
	}
}

// TestTimerOfEndedOperation: the timer may have fired for an operation that ends
// at that moment. It ends neither that one nor the next, nor what outlives the
// handler.
func TestTimerOfEndedOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watch{limit: time.Minute, expire: func(*http.ResponseController, time.Time) error { t.Error("it was ended"); return nil }}
		w.begin()
		time.Sleep(w.limit - 1)
		w.end()
		time.Sleep(time.Nanosecond) // it fires
		synctest.Wait()
		w.begin()
		w.fire() // it had, and waited for the lock
		w.close()
		if w.timer.Stop() {
			t.Error("the timer outlives the handler, and holds its request in memory")
		}
		time.Sleep(w.limit)
		w.fire()
	})
}

// pipeWriter is the ResponseWriter of a request whose body comes from a pipe.
type pipeWriter struct {
	http.ResponseWriter
	net.Conn
}

// Write implements http.ResponseWriter, and is not called.
func (w pipeWriter) Write(p []byte) (int, error) { panic("an answer") }

// TestStalledBodyIsAwaitedOnce: a body that a refused push did not go on with is
// not waited for again when the head of the refusal is sent.
func TestStalledBodyIsAwaitedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		b := &requestBody{
			ReadCloser: io.NopCloser(server), length: -1,
			watch: watch{control: *http.NewResponseController(pipeWriter{Conn: server}), expire: (*http.ResponseController).SetReadDeadline, limit: time.Hour},
		}
		start := time.Now()
		if b.discard(maxDrain, drainSome, drainTime) || b.settle() {
			t.Error("a body of which nothing came has ended")
		}
		if took := time.Since(start); took != drainTime {
			t.Errorf("it was waited for it for %v, want %v", took, drainTime)
		}
	})
}
