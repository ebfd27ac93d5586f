package h1

import (
	"strings"
	"testing"
)

func TestTrimOWS(t *testing.T) {
	for _, value := range []string{"", " ", "\t ", "a", " a", "a\t", " \ta b \t", "\na ", " a"} {
		if got, want := TrimOWS(value), strings.Trim(value, " \t"); got != want {
			t.Errorf("TrimOWS(%q) = %q, want %q", value, got, want)
		}
	}
}
