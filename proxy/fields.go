package proxy

import (
	"net/http"
	"slices"
	"strings"

	"ghapp-proxy/h1"

	"golang.org/x/net/http/httpguts"
)

// appendFields appends fields to a head in the order of names, and as these are spelled, then those
// that are not among them, by their names; without those of which leaves says so. Each of names is
// another field's.
func appendFields(head []byte, fields http.Header, names []h1.Name, leaves func(key string, values []string) bool) []byte {
	written := 0
	for _, name := range names {
		values := fields[name.Key]
		if values == nil {
			continue
		}
		if written++; !leaves(name.Key, values) {
			head = appendLines(head, name.Spelled, values)
		}
	}
	if written == len(fields) {
		return head
	}
	rest := make([]string, 0, 8)
	for key, values := range fields {
		if values != nil && !isNamed(key, names) {
			rest = append(rest, key)
		}
	}
	slices.Sort(rest)
	for _, key := range rest {
		if !leaves(key, fields[key]) {
			head = appendField(head, key, fields[key])
		}
	}
	return head
}

func isNamed(key string, names []h1.Name) bool {
	for _, name := range names {
		if name.Key == key {
			return true
		}
	}
	return false
}

// appendField appends a field to a head, but none whose name is no token.
func appendField(head []byte, name string, values []string) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return head
	}
	return appendLines(head, name, values)
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// appendLines appends a field to a head, but not what would end it early: RFC 9110, section 5.5.
func appendLines(head []byte, name string, values []string) []byte {
	for _, value := range values {
		if !h1.IsText(value) {
			value = oneLine.Replace(value)
		}
		head = append(append(head, name...), ": "...)
		head = append(append(head, h1.TrimOWS(value)...), "\r\n"...)
	}
	return head
}
