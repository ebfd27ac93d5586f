package policy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// unband undoes the sideband.
func unband(t *testing.T, answer []byte) (report, message string) {
	t.Helper()
	lines := &pktReader{r: bytes.NewReader(answer)}
	for {
		line, err := lines.next()
		if err != nil {
			t.Fatalf("%q: %v", answer, err)
		}
		if line == nil {
			if rest := len(answer) - len(lines.raw); rest > 0 {
				t.Errorf("%d bytes follow the flush", rest)
			}
			return report, message
		}
		switch line[0] {
		case 1:
			report += string(line[1:])
		case 2:
			message += string(line[1:])
		default:
			t.Errorf("band %d", line[0])
		}
	}
}

func TestRefuse(t *testing.T) {
	list := func(capabilities string) string {
		return pkts(idA+" "+idB+" refs/heads/main\x00"+capabilities, zero+" "+idB+" refs/heads/fine", "")
	}
	reasons := map[string]string{"refs/heads/main": "ghapp-proxy: no\nreally"}
	want := pkts("unpack ok\n", "ng refs/heads/main ghapp-proxy: no really\n",
		"ng refs/heads/fine ghapp-proxy: not pushed, because another ref of the push is refused\n", "")
	for capabilities, banded := range map[string]bool{
		"report-status":                   false,
		"report-status-v2":                false,
		"report-status side-band-64k":     true,
		" report-status-v2 side-band":     true,
		"side-band-64k report-status-v2 ": true,
		"side-band-64k=1 report-status=1": true,
	} {
		push, err := ReadPush(strings.NewReader(list(capabilities)))
		if err != nil {
			t.Fatal(err)
		}
		report, message := string(push.Refuse(reasons, "a message")), ""
		if banded {
			report, message = unband(t, []byte(report))
			if message != "a message\n" {
				t.Errorf("%s: message %q", capabilities, message)
			}
		}
		if report != want {
			t.Errorf("%s: report %q, want %q", capabilities, report, want)
		}
	}
	for _, capabilities := range []string{"", "side-band-64k", "report-status-v3", "no-report-status"} {
		push, err := ReadPush(strings.NewReader(list(capabilities)))
		if err != nil {
			t.Fatal(err)
		}
		if got := push.Refuse(reasons, "a message"); got != nil {
			t.Errorf("%q: Refuse = %q, want nil", capabilities, got)
		}
	}
}

// A report of any size fits into packets of the size that was agreed on.
func TestRefuseLong(t *testing.T) {
	for band, size := range map[string]int{"side-band": 1000, "side-band-64k": maxPkt} {
		lines := []string{zero + " " + idB + " refs/heads/0\x00report-status " + band}
		for i := 1; i < 1000; i++ {
			lines = append(lines, fmt.Sprintf("%s %s refs/heads/%d", zero, idB, i))
		}
		lines = append(lines, zero+" "+idB+" refs/heads/"+strings.Repeat("x", maxPkt-2*41-15), "")
		push, err := ReadPush(strings.NewReader(pkts(lines...)))
		if err != nil {
			t.Fatal(err)
		}
		answer := push.Refuse(map[string]string{"refs/heads/7": strings.Repeat("ü", 1000)}, strings.Repeat("m", 100_000))
		for rest := answer; len(rest) > pktHead; {
			n := parsePktLength(rest[:pktHead])
			if n > size {
				t.Fatalf("%s: a packet of %d bytes", band, n)
			}
			rest = rest[n:]
		}
		report, message := unband(t, answer)
		if len(message) != 100_001 {
			t.Errorf("%s: a message of %d bytes", band, len(message))
		}
		reader, refs := &pktReader{r: strings.NewReader(report)}, 0
		for {
			line, err := reader.next()
			if err != nil {
				t.Fatal(err)
			}
			if line == nil {
				break
			}
			if bytes.HasPrefix(line, []byte("ng ")) {
				refs++
			}
		}
		if refs != 1001 {
			t.Errorf("%s: %d refs are reported, want 1001", band, refs)
		}
	}
}

// A push that is not understood is answered as far as it was.
func TestFail(t *testing.T) {
	push, err := ReadPush(strings.NewReader(pkts(idA+" "+idB+" refs/heads/main\x00report-status side-band-64k", "x", "")))
	if err == nil {
		t.Fatal("no error")
	}
	report, message := unband(t, push.Fail("why"))
	if want := pkts("unpack why\n", "ng refs/heads/main why\n", ""); report != want || message != "why\n" {
		t.Errorf("Fail = %q and %q, want %q", report, message, want)
	}
	if push, _ = ReadPush(strings.NewReader("nonsense")); push.Fail("why") != nil {
		t.Errorf("a client that asked for nothing gets %q", push.Fail("why"))
	}
}
