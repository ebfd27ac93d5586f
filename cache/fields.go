package cache

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	// maxVary is how many names a Vary may have.
	maxVary = 20
	// maxHead is how much of fields is kept of an answer, in bytes.
	maxHead = 16 << 10
	// maxFields is how many of them are.
	maxFields = 200
)

// ofNow reports whether a field is about the moment, the connection or the token of one answer. Such are
// never taken from one that is kept. RFC 9111, section 3.1; docs.github.com "Rate limits
// for the REST API", "Scopes for OAuth apps", "Managing your personal access tokens".
func ofNow(name string) bool {
	switch name { // which costs less than a map
	case "Date", "Age", "Via", "Warning", "Retry-After", "Set-Cookie", "Server-Timing",
		"Cache-Status", "Proxy-Status",
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"X-Github-Request-Id", "X-Runtime-Rack", "X-Github-Sso", "X-Oauth-Scopes", "X-Accepted-Oauth-Scopes",
		"X-Oauth-Client-Id", "X-Accepted-Github-Permissions", "Github-Authentication-Token-Expiration",
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Used", "X-Ratelimit-Reset", "X-Ratelimit-Resource":
		return true
	}
	return false
}

// ofBody reports whether a field says how the kept body is to be read: a 304 does not change such
// (RFC 9111, section 3.2).
func ofBody(name string) bool {
	switch name {
	case "Content-Length", "Content-Encoding", "Content-Range", "Content-Type", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

// appendKept adds those of an answer's fields that are kept to some texts, packed, and says how many they are. It fails
// where they are too many.
func appendKept(to []byte, h http.Header) (all []byte, fields int, ok bool) {
	var hop []string // what Connection names
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			hop = append(hop, http.CanonicalHeaderKey(strings.Trim(name, " \t")))
		}
	}
	size := 0
	for name, values := range h {
		if ofNow(name) || len(hop) > 0 && slices.Contains(hop, name) {
			continue
		}
		for _, value := range values {
			if size += len(name) + len(value); size > maxHead || fields == maxFields {
				return nil, 0, false
			}
			to = appendText(appendText(to, name), value)
			fields++
		}
	}
	return to, fields, true
}

// freshen is the head of an answer that is kept, with what a 304 updates. It is the
// caller's.
func freshen(kept []field, now http.Header) http.Header {
	values := len(kept)
	for _, list := range now {
		values += len(list)
	}
	fresh, all := make(http.Header, len(kept)+len(now)), make([]string, 0, values)
	for i := 0; i < len(kept); {
		name, begin := kept[i].name, len(all)
		for ; i < len(kept) && kept[i].name == name; i++ {
			all = append(all, kept[i].value)
		}
		if now[name] == nil || ofBody(name) {
			fresh[name] = all[begin:len(all):len(all)]
		}
	}
	for name, list := range now {
		if begin := len(all); !ofBody(name) {
			all = append(all, list...)
			fresh[name] = all[begin:len(all):len(all)]
		}
	}
	return fresh
}

// updates reports whether a 304 changes what is kept.
func updates(kept []field, now http.Header) bool {
	for name, values := range now {
		if ofNow(name) || ofBody(name) || name == "Etag" {
			continue
		}
		i := slices.IndexFunc(kept, func(f field) bool { return f.name == name })
		for _, value := range values {
			if i < 0 || i >= len(kept) || kept[i] != (field{name, value}) {
				return true
			}
			i++
		}
		if i >= 0 && i < len(kept) && kept[i].name == name {
			return true
		}
	}
	return false
}

// selection is what Vary says of an answer.
type selection struct {
	*vary
	values []string // of the request: those of vary.others; nil where it has none of these fields
}

// selectionOf reads Vary: RFC 9110, section 12.5.5. It fails where the answer is good for
// its own request only.
func selectionOf(request, answer http.Header) (s selection, ok bool) {
	s.vary = varyOf(joined(answer, "Vary"))
	if s.unfit {
		return s, false
	}
	for i, name := range s.others {
		value := joined(request, name)
		if value != "" && s.values == nil {
			s.values = make([]string, len(s.others))
		}
		if value != "" {
			s.values[i] = strings.Clone(value)
		}
	}
	return s, true
}

// selectionBy is the selection of an answer that another replica has kept.
func selectionBy(accept, authorization bool, others []field) selection {
	s := selection{vary: &vary{accept: accept, authorization: authorization}}
	for _, f := range others {
		s.others, s.values = append(s.others, f.name), append(s.values, f.value)
	}
	return s
}

// fields are those of the request that select it, besides those of a Question.
func (s *selection) fields() (fields []field) {
	for i, name := range s.others {
		fields = append(fields, field{name, s.value(i)})
	}
	return fields
}

// value is the request's value of one of the others.
func (s *selection) value(i int) string {
	if s.values == nil {
		return ""
	}
	return s.values[i]
}

// vary is a Vary that was read. It never changes: answers that have the same share it.
type vary struct {
	text                  string
	accept, authorization bool     // they are in the ETag
	others                []string // names of fields, besides those of a Question
	unfit                 bool
}

// lastVary is the Vary that was read last: that of GitHub's answers is mostly the same.
var lastVary atomic.Pointer[vary]

func varyOf(text string) *vary {
	if v := lastVary.Load(); v != nil && v.text == text {
		return v
	}
	v := readVary(strings.Clone(text))
	if len(text) <= maxField {
		lastVary.Store(v)
	}
	return v
}

func readVary(text string) *vary {
	v, names := &vary{text: text}, 0
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.Trim(name, " \t"); name == "" {
			continue
		}
		if names++; names > maxVary || name == "*" || len(name) > maxField {
			return &vary{text: text, unfit: true}
		}
		switch name = http.CanonicalHeaderKey(name); name {
		case "Accept":
			v.accept = true
		case "Authorization":
			v.authorization = true
		case "Cookie", "Accept-Encoding", "User-Agent", "X-Github-Api-Version": // there is none, or the Question has it
		default:
			v.others = append(v.others, name)
		}
	}
	return v
}

func joined(h http.Header, name string) string {
	switch values := h[name]; len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	default:
		return strings.Join(values, ",")
	}
}

// matches reports whether a request selects the same answer.
func (s *selection) matches(request http.Header) bool {
	for i, name := range s.others {
		if joined(request, name) != s.value(i) {
			return false
		}
	}
	return true
}

// cost is what it takes of the memory.
func (s *selection) cost() int {
	n := len(s.text) + len(s.others)*fieldOverhead
	for i, name := range s.others {
		n += len(name) + len(s.value(i))
	}
	return n
}
