package h1

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxFields is how many fields the head of a request may have.
const maxFields = 100

// HeadSize returns the size of the head that p begins with, its empty line included; 0 if
// it does not end in p. Lines may end as net/http lets them end, with a bare LF: such a
// head ends there, and is not in the grammar.
func HeadSize(p []byte) int {
	for i := 0; ; {
		end := bytes.IndexByte(p[i:], '\n')
		if end < 0 {
			return 0
		}
		switch i += end + 1; {
		case i < len(p) && p[i] == '\n':
			return i + 1
		case i+1 < len(p) && p[i] == '\r' && p[i+1] == '\n':
			return i + 2
		}
	}
}

// ParseRequest reads the head of a request, its empty line included. It reports whether
// the head is in the grammar, which is narrower than that of RFC 9112: then the request
// is what http.ReadRequest would return, but for the body, which is left to the caller.
// A request that is framed by anything but Content-Length, that waits before it
// sends its body, or that asks for another protocol, is not in it. The names are those
// of the fields as they are spelled, in their order, each field's first. The Memory is what the result is
// made of, nil for new one.
func ParseRequest(head string, m *Memory) (r *http.Request, names []Name, ok bool) {
	line, lines, _ := strings.Cut(head, "\r\n")
	lines = strings.TrimSuffix(lines, "\r\n")
	m = m.orNew()
	r = &m.request
	r.URL = &m.url
	if !parseRequestLine(r, line) || strings.Count(lines, "\n") > maxFields {
		return nil, nil, false
	}
	if r.Header, names, ok = m.fields(lines); !ok {
		return nil, nil, false
	}
	for _, name := range names {
		if !understand(r, name.Key, r.Header[name.Key]) {
			return nil, nil, false
		}
	}
	delete(r.Header, "Host")
	return r, names, r.Host != ""
}

// parseRequestLine reads the line with the method and the target, which must be in
// origin form: RFC 9112, section 3.
func parseRequestLine(r *http.Request, line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if version != "HTTP/1.1" || method == "" || method == http.MethodConnect || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
		return false
	}
	for _, c := range []byte(method) {
		if !isToken[c] {
			return false
		}
	}
	for _, c := range []byte(target) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	if !parseTarget(r.URL, target) {
		return false
	}
	r.Method, r.RequestURI = method, target
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	return true
}

// parseTarget is url.ParseRequestURI.
func parseTarget(u *url.URL, target string) bool {
	path, query, _ := strings.Cut(target, "?")
	for _, c := range []byte(path) {
		if !isPlain[c] {
			parsed, err := url.ParseRequestURI(target)
			if err == nil {
				*u = *parsed
			}
			return err == nil
		}
	}
	u.Path, u.RawQuery, u.ForceQuery = path, query, query == "" && len(path) < len(target)
	return true
}

// isPlain are the octets of a path that mean themselves, and that net/url writes as they are.
var isPlain = octets("$&+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~")

// understand has the request say what a field means for it, and reports whether the field may be there.
func understand(r *http.Request, name string, values []string) bool {
	value := values[0]
	switch name {
	case "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Pragma":
		return false // they change what the rest means, or how it is shown
	case "Host":
		r.Host = value
		return len(values) == 1 && httpguts.ValidHostHeader(value)
	case "Content-Length":
		length, ok := parseDigits(value)
		r.ContentLength = length
		return ok && len(values) == 1 && (value[0] != '0' || value == "0") // 007 is 7, and would leave as such
	case "Connection":
		return len(values) == 1 && isConnection(r, value)
	}
	return true
}

// isConnection reports whether Connection says no more than whether another request may
// follow: RFC 9112, section 9.3.
func isConnection(r *http.Request, value string) bool {
	r.Close = strings.EqualFold(value, "close")
	return r.Close || strings.EqualFold(value, "keep-alive")
}
