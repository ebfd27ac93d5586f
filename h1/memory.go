package h1

import (
	"net/http"
	"net/url"
)

// Memory is what a head is made of that was read: the request or the response, its map of fields
// and their values. It serves one head, and after Reset another one: then all that the first was
// made of is of that, but for its texts, which stay what they are. The zero value is ready.
type Memory struct {
	request  http.Request
	url      url.URL
	response response
	header   http.Header
	texts    []string
}

// mostTexts bounds what a Memory keeps for the next head.
const mostTexts = 2 * maxFields

// Reset makes it ready for another head.
func (m *Memory) Reset() {
	if cap(m.texts) > mostTexts {
		m.header, m.texts = nil, nil
	}
	clear(m.header)
	clear(m.texts)
	m.request, m.url, m.response = http.Request{}, url.URL{}, response{}
}

func (m *Memory) orNew() *Memory {
	if m == nil {
		return new(Memory)
	}
	return m
}

// fields returns a map for so many fields, and slices for their values and names.
func (m *Memory) fields(n int) (header http.Header, values, names []string) {
	if m.header == nil {
		m.header = make(http.Header, n)
	}
	if cap(m.texts) < 2*n {
		m.texts = make([]string, 2*n)
	}
	m.texts = m.texts[:2*n]
	return m.header, m.texts[:n:n], m.texts[n:]
}
