package proxy

import (
	"encoding/binary"
	"testing"

	"ghapp-proxy/grant"
)

// TestPacesAreBounded: there is room for so many, and then for who has waited long
// enough to be as new.
func TestPacesAreBounded(t *testing.T) {
	var p paces
	id := func(n int) (id grant.ID) { binary.BigEndian.PutUint32(id[:], uint32(n)); return id }
	for n := range maxPaces {
		if _, ok := p.reserve(id(n), 1); !ok {
			t.Fatalf("no room for number %d", n)
		}
	}
	if _, ok := p.reserve(id(maxPaces), 1); ok || len(p.of) > maxPaces {
		t.Errorf("there is room for more, with %d", len(p.of))
	}
	if wait, ok := p.reserve(id(0), 1); !ok || wait == 0 {
		t.Error("one that is known has lost its pace")
	}
}
