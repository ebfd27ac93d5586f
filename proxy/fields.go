package proxy

import (
	"net/http"
	"slices"
	"strings"

	"ghapp-proxy/h1"

	"golang.org/x/net/http/httpguts"
)

// eachField calls write with the fields in the order of names, and as these are spelled,
// then with those that are not among them, by their names. Each of names is another field's.
func eachField(fields http.Header, names []string, write func(name string, values []string)) {
	var few [32]string // most heads have less
	written := few[:0]
	for _, name := range names {
		key := h1.Key(name)
		if values := fields[key]; values != nil {
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

// appendField appends a field to a head, but not what would end it early: RFC 9110, section 5.5.
func appendField(head []byte, name string, values []string) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return head
	}
	for _, value := range values {
		if strings.IndexByte(value, '\r') >= 0 || strings.IndexByte(value, '\n') >= 0 {
			value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
		}
		head = append(append(head, name...), ": "...)
		head = append(append(head, h1.TrimOWS(value)...), "\r\n"...)
	}
	return head
}
