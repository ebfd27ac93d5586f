package cache

import (
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
	return Question{who, host, target, values[0], values[1], values[2], values[3]}, true
}

const (
	maxTarget = 4 << 10
	maxField  = 1 << 10
)

// clone is a copy that keeps nothing of the request's memory.
func (q *Question) clone() Question {
	c, texts := *q, newTexts(q.bytes())
	for _, s := range [...]*string{&c.Kind, &c.Own, &c.host, &c.target, &c.accept, &c.encoding, &c.userAgent, &c.apiVersion} {
		*s = texts.keep(*s)
	}
	return c
}

// bytes is the length of its texts.
func (q *Question) bytes() int {
	return len(q.Kind) + len(q.Own) + len(q.host) + len(q.target) + len(q.accept) + len(q.encoding) + len(q.userAgent) + len(q.apiVersion)
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
