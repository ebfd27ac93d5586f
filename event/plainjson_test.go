package event

import (
	"encoding/json"
	"testing"
	"unicode"
)

func FuzzPlainJSON(f *testing.F) {
	for _, seed := range []string{"plain", "ü😀", "\u009b31m\u202e\u2028\x7f\x1b", "\U000e0001", "\xff\xed\xa0\x80", "\ufffd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if err := json.Unmarshal(line, &before); err != nil {
			t.Fatal(err)
		}
		plain := PlainJSON(line)
		if err := json.Unmarshal(plain, &after); err != nil || after != before {
			t.Errorf("%q became %s, which is %q (%v)", before, plain, after, err)
		}
		for _, r := range string(plain) {
			if !unicode.IsPrint(r) {
				t.Errorf("%U is left in %q", r, plain)
			}
		}
	})
}
