package config

import "testing"

func TestCache(t *testing.T) {
	for text, want := range map[string]int64{
		"":                           -1,
		"[cache]":                    -1,
		"[cache]\nsize = 0":          0,
		"[cache]\nsize = \"0\"":      0,
		"[cache]\nsize = \"64MiB\"":  64 << 20,
		"[cache]\nsize = 2000000":    2000000,
		"[cache]\nsize = \"1000\"":   -2,
		"[cache]\nsize = \"64 MB\"":  -2,
		"[cache]\nsize = -1":         -2,
		"[cache]\nsize = true":       -2,
		"[cache]\nshared = true":     -2,
		"[cache]\nshared = 1":        -2,
		"[cache]\nshared = false":    -1,
		"[cache]\nsizes = \"64MiB\"": -2,
	} {
		cfg, errText := load(t, minimal+text+"\n", nil)
		got := int64(-1)
		switch {
		case errText != "":
			got = -2
		case cfg.Cache.Size != nil:
			got = *cfg.Cache.Size
		}
		if text != "" && cfg != nil && cfg.Cache.Shared {
			t.Errorf("%q shares answers", text)
		}
		if got != want {
			t.Errorf("%q: %d, want %d: %s", text, got, want, errText)
		}
	}
}
