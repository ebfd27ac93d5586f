package cache

import (
	"encoding/binary"
	"hash/maphash"
	"net/http"
	"strings"
)

// Who is as whom a question leaves.
type Who struct {
	Kind         string // of the credential, "" for none
	App          int64
	Installation int64
	Own          string // tells credentials apart that are no App's
}

// Question is what an answer is kept for: all that decides what GitHub makes of a body
// when it has made its ETag, and as whom it was asked.
type Question struct {
	Who
	host, target                            string
	accept, encoding, userAgent, apiVersion string

	sum uint64 // a hash of the rest
}

// keyed are the fields of a request that a Question has.
var keyed = [...]string{"Accept", "Accept-Encoding", "User-Agent", "X-Github-Api-Version"}

// unfit are fields of requests whose answers are neither kept nor replaced: a part of an
// answer, a login, and conditions that are GitHub's to judge.
var unfit = [...]string{"Range", "If-Range", "If-Match", "If-Unmodified-Since", "Cookie"}

// QuestionOf is the question that a request asks; target is its path and query, as they
// are sent. It fails where its answer is not to be kept, nor another's to be given.
func QuestionOf(req *http.Request, host, target string, who Who) (q Question, ok bool) {
	h := req.Header
	if req.Method != http.MethodGet || req.Body != nil && req.Body != http.NoBody || len(target) > maxTarget {
		return q, false
	}
	for _, name := range unfit {
		if h[name] != nil {
			return q, false
		}
	}
	if hasDirective(h, "no-store") || hasDirective(h, "only-if-cached") { // RFC 9111, section 5.2.1
		return q, false
	}
	var values [len(keyed)]string
	for i, name := range keyed {
		switch list := h[name]; {
		case len(list) == 1 && len(list[0]) <= maxField:
			values[i] = list[0]
		case len(list) > 0:
			return q, false // how GitHub joins several is not known
		}
	}
	q = Question{who, host, target, values[0], values[1], values[2], values[3], 0}
	q.sum = q.hash()
	return q, true
}

const (
	maxTarget = 4 << 10
	maxField  = 1 << 10
)

// odd multiplies hashes of which several become one.
const odd = 0x9E3779B97F4A7C15

func (q *Question) hash() uint64 {
	sum := uint64(q.App)*odd + uint64(q.Installation)
	for _, text := range [...]string{q.Kind, q.Own, q.host, q.target, q.accept, q.encoding, q.userAgent, q.apiVersion} {
		sum = sum*odd + maphash.String(seed, text)
	}
	return sum
}

// appendTo adds all of a Question but its hash to some texts, packed.
func (q *Question) appendTo(to []byte) []byte {
	to = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(to, uint64(q.App)), uint64(q.Installation))
	for _, text := range [...]string{q.Kind, q.Own, q.host, q.target, q.accept, q.encoding, q.userAgent, q.apiVersion} {
		to = appendText(to, text)
	}
	return to
}

// question is what appendTo has packed, without its hash. It has no memory of its own.
func (p packed) question() (q Question) {
	q.App, q.Installation, p = int64(p.number()), int64(p[8:].number()), p[16:]
	for _, text := range [...]*string{&q.Kind, &q.Own, &q.host, &q.target, &q.accept, &q.encoding, &q.userAgent, &q.apiVersion} {
		*text, p = p.next()
	}
	return q
}

// same reports whether two Questions are the same, whatever their hashes are.
func (q Question) same(other *Question) bool {
	q.sum = other.sum
	return q == *other
}

// number is what the first eight octets are.
func (p packed) number() (n uint64) {
	for i := range 8 {
		n = n<<8 | uint64(p[i])
	}
	return n
}

// hasDirective reports whether Cache-Control has a directive.
func hasDirective(h http.Header, directive string) bool {
	for _, value := range h["Cache-Control"] {
		for item := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(item, "=")
			if strings.EqualFold(strings.Trim(name, " \t"), directive) {
				return true
			}
		}
	}
	return false
}
