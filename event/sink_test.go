package event

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/internal/racetest"
)

// TestBeginAfter: what takes long has a record of its own, also where the Beginning was another's.
func TestBeginAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		sink := &Sink{Log: slog.New(slog.DiscardHandler)}
		sink.SetAudit(NewAudit(&out, false, sink.Log))
		for i := range 100 {
			short := sink.BeginAfter(time.Second, &Event{ID: "short", Actor: "somebody", Time: time.Now()})
			time.Sleep(time.Duration(i) * 10 * time.Millisecond)
			if short.Ended() {
				t.Fatal("what was short was recorded")
			}
		}
		long := sink.BeginAfter(time.Second, &Event{ID: "long", Time: time.Now()})
		time.Sleep(2 * time.Second)
		next := sink.BeginAfter(time.Second, &Event{ID: "next", Time: time.Now()})
		if !long.Ended() || next.Ended() {
			t.Error("what was recorded is mixed up")
		}
		sink.Flush()
		if text := out.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"id":"long","kind":"","phase":"begin","method"`) || !strings.Contains(text, `"duration_ms":1000`) {
			t.Errorf("recorded: %s", text)
		}
	})
}

// TestBeginAfterAllocates: the beginning of what does not take long takes no memory.
func TestBeginAfterAllocates(t *testing.T) {
	if racetest.Enabled {
		t.Skip("pools forget with the race detector")
	}
	sink := &Sink{Log: slog.New(slog.DiscardHandler)}
	sink.SetAudit(NewAudit(io.Discard, false, sink.Log))
	if n := testing.AllocsPerRun(100, func() {
		e := one
		sink.BeginAfter(time.Minute, &e).Ended()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
