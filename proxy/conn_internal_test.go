package proxy

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A connection that comes when nobody takes any more is closed, not kept.
func TestHandoverAfterClose(t *testing.T) {
	h := newHandover()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	h.give(ours)
	if err := ours.SetDeadline(time.Now()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("it is not closed: %v", err)
	}
	theirs.Close()
}
