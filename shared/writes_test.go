//go:build unix

package shared_test

import (
	"fmt"
	"testing"
	"time"

	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"
)

// TestHeldIsBounded: values that wait for a store that does not answer are bounded, in bytes and in number; what is too much is lost
// and counted, and what was written or lost does not count any more.
func TestHeldIsBounded(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := func() uint64 { return s.Stats().Lost }
	const size, more = 1 << 20, 5
	long := value(1, string(make([]byte, size-8)))
	server.Stop()
	for i := range shared.MaxHeld/size + more {
		s.Put(fmt.Sprint(i), long, time.Minute)
	}
	if held := s.Held(); held != shared.MaxHeld || lost() != more {
		t.Errorf("%d bytes wait, %d values are lost, want %d and %d", held, lost(), shared.MaxHeld, more)
	}
	server.Continue()
	eventually(t, "all is written", func() bool { return s.Held() == 0 })
	if got := s.Get(t.Context(), "0"); len(got) != size || lost() != more {
		t.Errorf("%d bytes are filed, %d values are lost", len(got), lost())
	}

	server.Stop()
	before := lost()
	for range shared.MaxWrites + 100 {
		s.Put("same", value(1, "x"), time.Minute)
	}
	if n := lost() - before; n < 90 || n > 100 {
		t.Errorf("%d of 100 writes too many are lost", n)
	}
	server.Continue()
	eventually(t, "all is written or lost", func() bool { return s.Held() == 0 })
	if got := s.Get(t.Context(), "same"); string(got) != string(value(1, "x")) {
		t.Errorf("filed is %q", got)
	}
}
