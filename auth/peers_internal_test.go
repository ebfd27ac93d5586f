package auth

import "testing"

// TestPeerIsNew: each message of a peer counts once, also out of order, unless it is far too late.
func TestPeerIsNew(t *testing.T) {
	of := new(peer)
	for i, m := range []struct {
		serial uint64
		want   bool
	}{{5, true}, {5, false}, {3, true}, {3, false}, {4, true}, {80, true}, {5, false}, {16, false}, {17, true}, {17, false}, {1 << 60, true}, {80, false}, {1<<60 - 1, true}} {
		if got := of.isNew(m.serial); got != m.want {
			t.Errorf("%d: isNew(%d) = %v, want %v", i, m.serial, got, m.want)
		}
	}
}
