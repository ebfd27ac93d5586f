package policy

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestAppendPkt(t *testing.T) {
	for _, test := range []struct {
		parts []string
		want  string
	}{
		{[]string{"a"}, "0005a"},
		{[]string{"unpack ", "ok", "\n"}, "000eunpack ok\n"},
	} {
		if got := string(appendPkt([]byte("x"), test.parts...)); got != "x"+test.want {
			t.Errorf("appendPkt(%q) = %q, want %q", test.parts, got, "x"+test.want)
		}
	}
	if got := appendPkt([]byte("x"), strings.Repeat("a", maxPkt), "b"); len(got) != 1+maxPkt || string(got[1:5]) != "fff0" {
		t.Errorf("a line that is too long becomes %q… of %d bytes", got[:5], len(got)-1)
	}
}

// What pktReader takes is what appendPkt writes.
func FuzzPktLine(f *testing.F) {
	for _, seed := range []string{"0000", "0005a0000", "0005a", "fff0", "0004", "0001", "00FF", "PACK"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		lines, again := &pktReader{r: bytes.NewReader(input)}, []byte(nil)
		whole := 0 // bytes of whole lines
		for {
			before := len(lines.raw)
			line, err := lines.next()
			if len(lines.raw)-before > maxPkt {
				t.Fatalf("a line of %d bytes", len(lines.raw)-before)
			}
			if err != nil {
				break
			}
			if line == nil {
				again = append(again, flushPkt...)
			} else {
				again = appendPkt(again, string(line))
			}
			whole = len(lines.raw)
		}
		if !bytes.Equal(again, input[:whole]) {
			t.Fatalf("%q was read as %q", input[:whole], again)
		}
	})
}

// git agrees about names.
func TestRefNamesAsGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	for name, want := range refNames {
		err := exec.Command("git", "check-ref-format", name).Run()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := err == nil; got != want {
			t.Errorf("git check-ref-format %q: %v, want %t", name, err, want)
		}
	}
}
