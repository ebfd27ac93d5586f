package proxy

import (
	"net/http"
	"slices"
	"strings"

	"ghapp-proxy/h1"

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
	var few [32]string // most heads have less
	written := few[:0]
	for _, name := range names {
		key := h1.Key(name)
		if values := fields[key]; values != nil && !slices.Contains(written, key) {
			write(name, values)
			written = append(written, key)
		}
	}
	if len(written) == len(fields) {
		return
	}
	rest := make([]string, 0, 8)
	for key, values := range fields {
		if values != nil && !slices.Contains(written, key) {
			rest = append(rest, key)
		}
	}
	slices.Sort(rest)
	for _, key := range rest {
		write(key, fields[key])
	}
}

// writeField writes a field, but not what would end it early: RFC 9110, section 5.5.
func writeField(out textWriter, name string, values []string) {
	if !httpguts.ValidHeaderFieldName(name) {
		return
	}
	for _, value := range values {
		out.WriteString(name)
		out.WriteString(": ")
		if strings.IndexByte(value, '\r') >= 0 || strings.IndexByte(value, '\n') >= 0 {
			value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
		}
		out.WriteString(h1.TrimOWS(value))
		out.WriteString("\r\n")
	}
}
