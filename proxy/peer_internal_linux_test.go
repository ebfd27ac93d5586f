package proxy

import "testing"

func TestMapsAll(t *testing.T) {
	for uidMap, want := range map[string]bool{
		"         0          0 4294967295\n": true,
		"0 0 1000\n1000 1000 4294966295\n":   true,
		"0 1000 1\n":                         false,
		"0 1000 1\n1 100000 65536\n":         false,
		"":                                   false,
		"0 0\n":                              false,
		"0 0 -1\n":                           false,
		"0 0 4294967295\n9 9 1\n":            false,
	} {
		if got := mapsAll(uidMap); got != want {
			t.Errorf("mapsAll(%q) = %v, want %v", uidMap, got, want)
		}
	}
}
