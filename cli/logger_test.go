package cli

import (
	"log/slog"
	"testing"
	"time"
)

// stuckWriter is a pipe that nobody reads.
type stuckWriter struct{ read chan struct{} }

func (w stuckWriter) Write(p []byte) (int, error) {
	<-w.read
	return len(p), nil
}

// What is logged waits for nobody to read it.
func TestLogNobodyReads(t *testing.T) {
	w := stuckWriter{make(chan struct{})}
	defer close(w.read)
	log, err := (&settings{logFormat: "text"}).logger(w, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20000 { // more than may wait
			log.Info("a line", "with", "some text that is as long as the line of a request may well be, or about so")
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("the log waits for a reader")
	}
}
