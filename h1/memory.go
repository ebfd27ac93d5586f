package h1

import (
	"net/http"
	"net/url"
	"strings"
)

// Memory is what a head is made of that was read: the request or the response, its map of fields,
// their values and names. It serves one head, and after Reset another one: then all that the first was
// made of is of that, but for its texts, which stay what they are. The zero value is ready.
type Memory struct {
	request  http.Request
	url      url.URL
	response response
	header   http.Header
	values   []string
	names    []Name // those of the head before are what to expect
}

// Reset makes it ready for another head.
func (m *Memory) Reset() {
	if cap(m.values) > maxFields {
		m.header, m.values, m.names = nil, nil, nil
	}
	clear(m.header)
	clear(m.values)
	for i, name := range m.names {
		if !name.isCommon {
			m.names[i] = Name{}
		}
	}
	m.request, m.url, m.response = http.Request{}, url.URL{}, response{}
}

func (m *Memory) orNew() *Memory {
	if m == nil {
		return new(Memory)
	}
	return m
}

// fields reads lines of fields, each with its end, into a map. It reports whether they are in the
// grammar. The names are in their order, each field's first.
func (m *Memory) fields(lines string) (header http.Header, names []Name, ok bool) {
	n := strings.Count(lines, "\n")
	if m.header == nil {
		m.header = make(http.Header, n)
	}
	if m.names == nil || cap(m.values) < n {
		m.values, m.names = make([]string, n), make([]Name, n)
	}
	m.values, m.names = m.values[:n], m.names[:max(n, len(m.names))]
	if !m.fill(lines, false) {
		return nil, nil, false
	}
	if len(m.header) < n { // some are there twice, which is rare
		clear(m.header)
		m.fill(lines, true)
	}
	return m.header, m.names[:len(m.header)], true
}

// fill puts the fields into the map: of those with one name the last, or all where some are known to be
// there twice.
func (m *Memory) fill(lines string, twice bool) bool {
	for i := range m.values {
		end := strings.IndexByte(lines, '\n') + 1
		name := &m.names[len(m.header)]
		value, ok := parseField(lines[:end], name)
		if !ok {
			return false
		}
		m.values[i], lines = value, lines[end:]
		values := m.values[i : i+1 : i+1]
		if before := m.header[name.Key]; twice && before != nil {
			values = append(before, value)
		}
		m.header[name.Key] = values
	}
	return lines == ""
}
