package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// Tag is an ETag of GitHub's form, without "W/" and its quotes.
type Tag [sha256.Size]byte

// parseTag reads one ETag. It fails where that is none of GitHub's form: RFC 9110,
// section 8.8.3.
func parseTag(value string) (tag Tag, weak, ok bool) {
	value, weak = strings.CutPrefix(value, "W/")
	if len(value) != 2+hex.EncodedLen(len(tag)) || value[0] != '"' || value[len(value)-1] != '"' {
		return tag, weak, false
	}
	digits := value[1 : len(value)-1]
	for i := range tag {
		high, low := digit(digits[2*i]), digit(digits[2*i+1])
		if high|low > 15 {
			return tag, weak, false
		}
		tag[i] = high<<4 | low
	}
	return tag, weak, true
}

// digit is what a hexadecimal digit stands for, as GitHub writes it; 255 for what is none.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	default:
		return 255
	}
}

// field is the ETag as it is written.
func (t Tag) field(weak bool) string {
	text := make([]byte, 0, len(`W/""`)+hex.EncodedLen(len(t)))
	if weak {
		text = append(text, "W/"...)
	}
	text = append(text, '"')
	text = hex.AppendEncode(text, t[:])
	return string(append(text, '"'))
}

// maxConditions is how many ETags of a client's are looked at.
const maxConditions = 32

// Condition is one ETag of an If-None-Match.
type Condition struct {
	Text string // as the client wrote it
	tag  Tag
	ours bool // it has the form of GitHub's
}

// Conditions reads If-None-Match. It fails where the field is "*", has too many ETags, or is
// not understood: it is for GitHub then.
func Conditions(h http.Header) (list []Condition, ok bool) {
	for _, value := range h["If-None-Match"] {
		for {
			value = strings.TrimLeft(value, ", \t")
			if value == "" {
				break
			}
			text, rest, found := cutTag(value)
			if !found || len(list) == maxConditions {
				return nil, false
			}
			tag, _, ours := parseTag(text)
			list = append(list, Condition{text, tag, ours})
			value = rest
		}
	}
	return list, true
}

// cutTag cuts an entity-tag (RFC 9110, section 8.8.3), which may contain commas, off a list.
func cutTag(value string) (tag, rest string, ok bool) {
	begin := 0
	if strings.HasPrefix(value, "W/") {
		begin = 2
	}
	if begin >= len(value) || value[begin] != '"' {
		return "", "", false
	}
	end := strings.IndexByte(value[begin+1:], '"')
	if end < 0 {
		return "", "", false
	}
	end += begin + 2
	rest = strings.TrimLeft(value[end:], " \t")
	return value[:end], rest, rest == "" || rest[0] == ','
}

// Same reports whether two ETags are the same in the weak comparison: RFC 9110,
// section 8.8.3.2.
func Same(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}
