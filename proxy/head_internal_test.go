package proxy

import (
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"
)

// jealousWriter is a ResponseWriter that two must not use at once, as those of
// net/http are.
type jealousWriter struct {
	t                *testing.T
	header           http.Header
	mu               sync.Mutex
	flushing, finish chan struct{}
}

func (w *jealousWriter) use(what string) (done func()) {
	if !w.mu.TryLock() {
		w.t.Errorf("%s while another uses it", what)
		return func() {}
	}
	return w.mu.Unlock
}

func (w *jealousWriter) Header() http.Header { return w.header }

func (w *jealousWriter) WriteHeader(int) { defer w.use("WriteHeader")() }

func (w *jealousWriter) Write(p []byte) (int, error) { defer w.use("Write")(); return len(p), nil }

func (w *jealousWriter) FlushError() error {
	defer w.use("Flush")()
	close(w.flushing)
	<-w.finish
	return nil
}

// TestHeldHeadIsSentAlone: while a head that has waited is sent, nobody else writes.
func TestHeldHeadIsSentAlone(t *testing.T) {
	w := &jealousWriter{t: t, header: make(http.Header), flushing: make(chan struct{}), finish: make(chan struct{})}
	out := newRecorder(w, &Options{Log: slog.New(slog.DiscardHandler), stalls: maxStalls})
	out.hold(http.StatusOK)
	out.head.since = time.Now().Add(-headPatience)
	if err := out.FlushError(); err != nil {
		t.Fatal(err)
	}
	<-w.flushing
	written := make(chan error)
	go func() {
		_, err := out.Write([]byte("x"))
		written <- err
	}()
	select {
	case <-written:
		t.Error("it was written at once")
	case <-time.After(20 * time.Millisecond):
		close(w.finish)
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
}
