package cli

import (
	"strings"
	"testing"
)

// All of IPv4 is not all of IPv6.
func TestListenOnIPv4(t *testing.T) {
	ln, err := listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got := ln.Addr().String(); !strings.HasPrefix(got, "0.0.0.0:") {
		t.Errorf("it listens on %s", got)
	}
}
