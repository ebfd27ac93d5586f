package proxy

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// textWriter is where a head is written to. Its errors are met later.
type textWriter interface {
	WriteString(string) (int, error)
	WriteByte(byte) error
}

// eachField calls write with the fields in the order of names, and as these are spelled,
// then with those that are not among them, by their names.
func eachField(fields http.Header, names []string, write func(name string, values []string)) {
	for i, name := range names {
		if key := textproto.CanonicalMIMEHeaderKey(name); fields[key] != nil && !isAmong(key, names[:i]) {
			write(name, fields[key])
		}
	}
	rest := make([]string, 0, 8)
	for key := range maps.Keys(fields) {
		if !isAmong(key, names) {
			rest = append(rest, key)
		}
	}
	slices.Sort(rest)
	for _, key := range rest {
		write(key, fields[key])
	}
}

// isAmong reports whether a field has one of the names.
func isAmong(key string, names []string) bool {
	for _, name := range names {
		if len(name) == len(key) && strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

// writeField writes a field, but not what would end it early: RFC 9110, section 5.5.
func writeField(out textWriter, name string, values []string) {
	if !httpguts.ValidHeaderFieldName(name) {
		return
	}
	for _, value := range values {
		out.WriteString(name)
		out.WriteString(": ")
		if strings.ContainsAny(value, "\r\n") {
			value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
		}
		out.WriteString(strings.Trim(value, " \t"))
		out.WriteString("\r\n")
	}
}
