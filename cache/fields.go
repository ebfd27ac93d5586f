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

// ofNow are fields about the moment, the connection or the token of one answer. They are
// never taken from one that is kept. RFC 9111, section 3.1; docs.github.com "Rate limits
// for the REST API", "Scopes for OAuth apps", "Managing your personal access tokens".
var ofNow = map[string]bool{
	"Date": true, "Age": true, "Via": true, "Warning": true, "Retry-After": true, "Set-Cookie": true, "Server-Timing": true,
	"Cache-Status": true, "Proxy-Status": true,
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true, "Proxy-Authentication-Info": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"X-Github-Request-Id": true, "X-Runtime-Rack": true, "X-Github-Sso": true, "X-Oauth-Scopes": true, "X-Accepted-Oauth-Scopes": true,
	"X-Oauth-Client-Id": true, "X-Accepted-Github-Permissions": true, "Github-Authentication-Token-Expiration": true,
	"X-Ratelimit-Limit": true, "X-Ratelimit-Remaining": true, "X-Ratelimit-Used": true, "X-Ratelimit-Reset": true, "X-Ratelimit-Resource": true,
}

// ofBody are fields that say how the kept body is to be read: a 304 does not change them
// (RFC 9111, section 3.2).
var ofBody = map[string]bool{
	"Content-Length": true, "Content-Encoding": true, "Content-Range": true, "Content-Type": true, "Transfer-Encoding": true, "Trailer": true,
}

// keptFields are those of an answer that are kept, in memory of their own. It fails where they are too
// many.
func keptFields(h http.Header) (kept []field, ok bool) {
	var hop []string // what Connection names
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			hop = append(hop, http.CanonicalHeaderKey(strings.Trim(name, " \t")))
		}
	}
	var few [48]field // most have less: they need no memory of their own
	fields := few[:0]
	size := 0
	for name, values := range h {
		if ofNow[name] || slices.Contains(hop, name) {
			continue
		}
		for _, value := range values {
			if size += len(name) + len(value); size > maxHead || len(fields) == maxFields {
				return nil, false
			}
			fields = append(fields, field{name, value})
		}
	}
	texts := newTexts(size)
	kept = make([]field, len(fields))
	for i, f := range fields {
		kept[i] = field{texts.keep(f.name), texts.keep(f.value)}
	}
	return kept, true
}

// texts has copies of strings in one allocation.
type texts struct{ text strings.Builder }

func newTexts(size int) *texts {
	t := new(texts)
	t.text.Grow(size)
	return t
}

// keep is a copy of a string.
func (t *texts) keep(s string) string {
	begin := t.text.Len()
	t.text.WriteString(s)
	return t.text.String()[begin:]
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
		if now[name] == nil || ofBody[name] {
			fresh[name] = all[begin:len(all):len(all)]
		}
	}
	for name, list := range now {
		if begin := len(all); !ofBody[name] {
			all = append(all, list...)
			fresh[name] = all[begin:len(all):len(all)]
		}
	}
	return fresh
}

// updates reports whether a 304 changes what is kept.
func updates(kept []field, now http.Header) bool {
	for name, values := range now {
		if ofNow[name] || ofBody[name] || name == "Etag" {
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
	accept, authorization bool    // they are in its ETag
	others                []field // of the request, besides those of its Question
}

// field is a field of a request.
type field struct{ name, value string }

// selectionOf reads Vary: RFC 9110, section 12.5.5. It fails where the answer is good for
// its own request only.
func selectionOf(request, answer http.Header) (s selection, ok bool) {
	v := varyOf(joined(answer, "Vary"))
	if v.unfit {
		return s, false
	}
	s = selection{accept: v.accept, authorization: v.authorization}
	if len(v.others) > 0 {
		s.others = make([]field, len(v.others))
	}
	for i, name := range v.others {
		s.others[i] = field{name, strings.Clone(joined(request, name))}
	}
	return s, true
}

// vary is a Vary that was read.
type vary struct {
	text                         string
	accept, authorization, unfit bool
	others                       []string
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
	for _, f := range s.others {
		if joined(request, f.name) != f.value {
			return false
		}
	}
	return true
}

// bytes is the length of its texts.
func (s *selection) bytes() (n int) {
	for _, f := range s.others {
		n += len(f.name) + len(f.value)
	}
	return n
}
