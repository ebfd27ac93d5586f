package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	zero = "0000000000000000000000000000000000000000"
	idA  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idB  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var long = strings.Repeat("c", sha256Digits)

// pkts writes lines as pkt-lines; "" is a flush.
func pkts(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		if line == "" {
			b.WriteString(flushPkt)
			continue
		}
		fmt.Fprintf(&b, "%04x%s", len(line)+pktHead, line)
	}
	return b.String()
}

// describe writes a push in one line.
func describe(p *Push) string {
	var words []string
	for _, u := range p.Commands {
		for kind, is := range map[string]bool{"create ": u.Creates(), "update ": u.Updates(), "delete ": u.Deletes()} {
			if is {
				words = append(words, kind+u.Ref)
			}
		}
	}
	for _, option := range p.Options {
		words = append(words, "option "+option)
	}
	return strings.Join(words, ", ")
}

func TestReadPush(t *testing.T) {
	for name, test := range map[string]struct{ list, want string }{
		"probe":             {pkts(""), ""},
		"shallow and flush": {pkts("shallow "+idA, ""), ""},
		"update": {
			pkts(idA+" "+idB+" refs/heads/main\x00 report-status-v2 side-band-64k object-format=sha1 agent=git/2.39.5", ""),
			"update refs/heads/main",
		},
		"no capabilities": {pkts(idA+" "+idB+" refs/heads/main", ""), "update refs/heads/main"},
		"lines with LF": {
			pkts("shallow "+idA+"\n", zero+" "+idB+" refs/heads/a\x00report-status\n", idA+" "+idB+" refs/tags/v1\n", ""),
			"create refs/heads/a, update refs/tags/v1",
		},
		"three kinds": {
			pkts(zero+" "+idB+" refs/heads/a\x00", idA+" "+zero+" refs/heads/b", idA+" "+idB+" refs/tags/v1", ""),
			"create refs/heads/a, delete refs/heads/b, update refs/tags/v1",
		},
		"nothing to nothing is a deletion": {pkts(zero+" "+zero+" refs/heads/a\x00", ""), "delete refs/heads/a"},
		"sha256": {
			pkts("shallow "+long, long+" "+strings.Repeat("0", 64)+" refs/heads/main\x00object-format=sha256", ""),
			"delete refs/heads/main",
		},
		"push options": {
			pkts(idA+" "+idB+" refs/heads/main\x00push-options", "", "ci.skip", "b=c\n", ""),
			"update refs/heads/main, option ci.skip, option b=c",
		},
		"no push options":            {pkts(idA+" "+idB+" refs/heads/main\x00push-options", "", ""), "update refs/heads/main"},
		"names need not be UTF-8":    {pkts(idA+" "+idB+" refs/heads/\xff", ""), "update refs/heads/\xff"},
		"a name with spaces in caps": {pkts(idA+" "+idB+" refs/heads/@\x00  a  b ", ""), "update refs/heads/@"},
	} {
		const pack = "PACK…"
		sent := test.list
		if test.want != "" {
			sent += pack
		}
		r := strings.NewReader(sent)
		push, err := ReadPush(iotest.OneByteReader(r))
		if err != nil {
			t.Errorf("%s: ReadPush(%q): %v", name, sent, err)
			continue
		}
		if got := describe(push); got != test.want {
			t.Errorf("%s: ReadPush(%q) = %s, want %s", name, sent, got, test.want)
		}
		if rest, _ := io.ReadAll(r); string(push.Raw)+string(rest) != sent || len(push.Raw) != len(test.list) {
			t.Errorf("%s: %q was read and %q left, of %q", name, push.Raw, rest, sent)
		}
	}
}

func TestReadPushRefuses(t *testing.T) {
	const command = idA + " " + idB + " refs/heads/main"
	for list, want := range map[string]string{
		"":                                   "unexpected EOF",
		"000":                                "unexpected EOF",
		"00a":                                "unexpected EOF",
		pkts(command):                        "unexpected EOF",
		"0068" + command:                     "unexpected EOF",
		pkts(command+"\x00push-options", ""): "unexpected EOF",
		pkts(command+"\x00push-options", "", "ci"): "unexpected EOF",

		"0001":              "pkt-line's length", // delimiter
		"0002":              "pkt-line's length", // end of response
		"0003":              "pkt-line's length",
		"0004":              "pkt-line's length", // empty
		"fff1":              "pkt-line's length", // more than 65520
		"00 a":              "pkt-line's length",
		"+057":              "pkt-line's length",
		"005F" + command:    "pkt-line's length",
		"PACK":              "pkt-line's length",
		"\x1f\x8b\x08\x00x": "pkt-line's length", // gzip

		pkts("", command, ""):                        "without commands",
		pkts("command=push", ""):                     "no command",
		pkts(idA+" "+idB, ""):                        "no command",
		pkts(idA+" refs/heads/main", ""):             "no command",
		pkts(strings.ToUpper(command[:81])+" x", ""): "no command",
		pkts(idA[1:]+" "+idB+" refs/heads/main", ""): "no command",
		pkts(idA+"  "+idB+" refs/heads/main", ""):    "no command",
		pkts(" "+command, ""):                        "no command",
		pkts(command, "shallow "+idA, ""):            "no command", // before, if at all
		pkts("shallow main", ""):                     "no object id",
		pkts("shallow "+idA+"\n\n", ""):              "no object id",
		pkts(command+"\x00a", command+"\x00b", ""):   "no name of a ref",
		pkts(command+"\n\n", ""):                     "no name of a ref",
		pkts(command+"\n\x00", ""):                   "no name of a ref",
		pkts(command+"\x00a\tb", ""):                 "capability",
		pkts(command+"\x00a\x00b", ""):               "capability",
		pkts(command+"\x00a\n\n", ""):                "capability",
		pkts(command+"\x00caf\xc3\xa9", ""):          "capability",

		pkts("push-cert\x00report-status", "certificate version 0.1\n", command+"\n", "push-cert-end\n", ""): "signed",
		pkts(command, "push-cert", ""): "signed",

		pkts(command+"\x00object-format=sha256", ""):                  "another length",
		pkts(command, long+" "+long+" refs/heads/a", ""):              "another length",
		pkts("shallow "+long, command, ""):                            "another length",
		pkts(command+"\x00object-format=md5", ""):                     "unknown format",
		pkts(command+"\x00object-format=", ""):                        "unknown format",
		pkts(long+" "+long+" refs/heads/a\x00object-format=sha1", ""): "another length",
	} {
		push, err := ReadPush(strings.NewReader(list))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadPush(%.200q): %v, want an error with %q", list, err, want)
		}
		if push == nil {
			t.Fatalf("ReadPush(%.200q) = nil", list)
		}
	}
}

// An error of the connection is not taken for the end of the list.
func TestReadPushBrokenOff(t *testing.T) {
	broken := errors.New("broken")
	_, err := ReadPush(io.MultiReader(strings.NewReader(pkts("", "")[:4]), iotest.ErrReader(broken)))
	if err == nil {
		t.Error("a probe that breaks off was taken")
	}
	_, err = ReadPush(io.MultiReader(strings.NewReader("0060"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("ReadPush: %v, want %v", err, broken)
	}
}

func TestReadPushLimits(t *testing.T) {
	command := idA + " " + idB + " refs/heads/main"
	for name, test := range map[string]struct{ line, want string }{
		"commands":   {pkts(command), "more than 5000 refs"},
		"long lines": {pkts(command + strings.Repeat("x", maxPkt-pktHead-len(command))), "longer than 1048576 bytes"},
		"shallow":    {pkts("shallow " + idA), "longer than 1048576 bytes"},
	} {
		push, err := ReadPush(strings.NewReader(strings.Repeat(test.line, 2*maxPushHead/len(test.line))))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, test.want)
		}
		if len(push.Raw) > maxPushHead || len(push.Commands) > maxPushUpdates {
			t.Errorf("%s: %d bytes and %d commands were kept", name, len(push.Raw), len(push.Commands))
		}
	}
	options := pkts(command+"\x00push-options", "") + strings.Repeat(pkts("a"), 101)
	if _, err := ReadPush(strings.NewReader(options)); err == nil || !strings.Contains(err.Error(), "push options") {
		t.Errorf("101 push options: %v", err)
	}
}

// What git check-ref-format says; TestRefNamesAsGit asks it.
var refNames = map[string]bool{
	"refs/heads/main":     true,
	"refs/heads/a/b":      true,
	"refs/heads/@":        true,
	"refs/heads/ü":        true,
	"refs/heads/-x":       true,
	"refs/heads/a{b":      true,
	"refs/heads/a.b":      true,
	"refs/heads/a.locked": true,
	"refs/x":              true,
	"refs/heads/":         false,
	"refs/heads//main":    false,
	"refs//heads/main":    false,
	"refs/heads/.main":    false,
	"refs/.heads/main":    false,
	"refs/heads/..":       false,
	"refs/heads/a..b":     false,
	"refs/heads/a.":       false,
	"refs/heads/a.lock":   false,
	"refs/heads.lock/a":   false,
	"refs/heads/a@{b":     false,
	"refs/heads/a b":      false,
	"refs/heads/a~b":      false,
	"refs/heads/a^b":      false,
	"refs/heads/a:b":      false,
	"refs/heads/a?b":      false,
	"refs/heads/a*b":      false,
	"refs/heads/a[b":      false,
	`refs/heads/a\b`:      false,
	"refs/heads/a\x7fb":   false,
	"refs/heads/a\tb":     false,
	"refs/heads/a\nb":     false,
	"refs/":               false,
	"refs":                false,
	"/refs/heads/main":    false,
	"":                    false,
}

func TestRefNames(t *testing.T) {
	for name, want := range refNames {
		if got := isRefName(name); got != want {
			t.Errorf("isRefName(%q) = %t, want %t", name, got, want)
		}
	}
	for _, name := range []string{"HEAD", "heads/main", "@", "FETCH_HEAD", "Refs/heads/main"} {
		if isRefName(name) {
			t.Errorf("isRefName(%q) = true: it is not below refs/", name)
		}
	}
}

// encode writes a push as the grammar says, without LFs.
func encode(p *Push) []byte {
	var out []byte
	for _, id := range p.shallow {
		out = appendPkt(out, "shallow ", id)
	}
	for i, u := range p.Commands {
		if i == 0 {
			out = appendPkt(out, u.Old, " ", u.New, " ", u.Ref, "\x00", strings.Join(p.Capabilities, " "))
			continue
		}
		out = appendPkt(out, u.Old, " ", u.New, " ", u.Ref)
	}
	out = append(out, flushPkt...)
	if len(p.Commands) > 0 && p.has("push-options") {
		for _, option := range p.Options {
			out = appendPkt(out, option)
		}
		out = append(out, flushPkt...)
	}
	return out
}

func FuzzReadPush(f *testing.F) {
	command := idA + " " + idB + " refs/heads/main"
	for _, seed := range []string{
		pkts(""), pkts(command, ""), pkts("shallow "+idA, command+"\x00 report-status side-band-64k\n", idA+" "+zero+" refs/heads/b\n", ""),
		pkts(command+"\x00push-options report-status-v2", "", "a", "") + "PACK",
		pkts("push-cert\x00", command+"\n", "push-cert-end\n", ""), "0004", "fff0", "0001",
		pkts(long+" "+long+" refs/heads/a\x00object-format=sha256", ""),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		push, err := ReadPush(bytes.NewReader(input))
		if !bytes.HasPrefix(input, push.Raw) || len(push.Raw) > maxPushHead {
			t.Fatalf("%d bytes were read, not the first of the input", len(push.Raw))
		}
		if report := push.Refuse(nil, "m"); report != nil && !bytes.HasSuffix(report, []byte(flushPkt)) {
			t.Errorf("Refuse = %q", report)
		}
		if err != nil {
			return
		}
		for _, u := range push.Commands {
			if !isRefName(u.Ref) || len(u.Old) != len(u.New) {
				t.Errorf("command %+v", u)
			}
		}
		// What was understood is all that was there, but for LFs and spaces.
		plain, again := encode(push), &Push{}
		if again, err = ReadPush(bytes.NewReader(plain)); err != nil {
			t.Fatalf("ReadPush(%q), made of %q: %v", plain, push.Raw, err)
		}
		if !slices.Equal(again.Commands, push.Commands) || !slices.Equal(again.Options, push.Options) || !slices.Equal(again.Capabilities, push.Capabilities) {
			t.Errorf("%+v became %+v", push, again)
		}
	})
}
