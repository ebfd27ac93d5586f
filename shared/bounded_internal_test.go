package shared

import (
	"fmt"
	"strings"
	"testing"
)

// TestReplies: what a store may say is followed, however it is cut; what is too long is not taken, before it comes.
func TestReplies(t *testing.T) {
	const good = "+OK\r\n:7\r\n$-1\r\n*-1\r\n$0\r\n\r\n$5\r\n*99\r\n\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n%1\r\n+a\r\n+b\r\n|1\r\n+a\r\n+b\r\n+c\r\n>1\r\n_\r\n-ERR x\r\n~1\r\n#t\r\n=5\r\ntxt:x\r\n*0\r\n"
	for size := 1; size <= len(good); size++ {
		var r replies
		for rest := good; rest != ""; {
			part := rest[:min(size, len(rest))]
			rest = rest[len(part):]
			if err := r.take([]byte(part)); err != nil {
				t.Fatalf("in parts of %d bytes, before %q: %v", size, rest, err)
			}
		}
		if r.lacks != 0 || r.skip != 0 || len(r.line) != 0 {
			t.Fatalf("in parts of %d bytes: %d elements and %d bytes are missing", size, r.lacks, r.skip)
		}
	}
	text := func(n int) string { return fmt.Sprintf("$%d\r\n", n) }
	half := text(maxReply/2) + strings.Repeat("x", maxReply/2) + "\r\n"
	for _, test := range []struct {
		name, says string
		good       bool
	}{
		{"the longest text", text(maxReply), true},
		{"a longer one", text(maxReply + 1), false},
		{"one beyond numbers", "$99999999999999999999\r\n", false},
		{"no number", "$x\r\n", false},
		{"no length", "$\r\n", false},
		{"an empty line", "\r\n", false},
		{"texts together", "*3\r\n" + half + text(maxReply/2), true},
		{"texts that are too long together", "*3\r\n" + half + text(maxReply/2+1), false},
		{"texts of two replies", half + half + half, true},
		{"the most elements", fmt.Sprintf("*%d\r\n", maxElements), true},
		{"more", fmt.Sprintf("*%d\r\n", maxElements+1), false},
		{"the most pairs", fmt.Sprintf("%%%d\r\n", maxElements/2), true},
		{"more pairs", fmt.Sprintf("%%%d\r\n", maxElements/2+1), false},
		{"lists within lists", fmt.Sprintf("*%d\r\n*2\r\n*2\r\n", maxElements), false},
		{"the longest line", "+" + strings.Repeat("x", maxLine-1), true},
		{"a longer line", "+" + strings.Repeat("x", maxLine), false},
	} {
		var r replies
		if err := r.take([]byte(test.says)); (err == nil) != test.good {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
