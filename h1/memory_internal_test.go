package h1

import (
	"bufio"
	"reflect"
	"strings"
	"testing"
)

// Of what was read nothing is left, and of large heads no memory either.
func TestReset(t *testing.T) {
	head := "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + strings.Repeat("A: b\r\n", maxFields) + "\r\nhello"
	var m Memory
	if _, _, ok := ParseRequest(head, &m); !ok {
		t.Fatal("it is left to net/http")
	}
	m.Reset()
	if cap(m.texts) == 0 || m.header == nil {
		t.Error("its memory is not kept")
	}
	if resp, _, err := ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil, &m); err != nil || resp != &m.response.Response {
		t.Fatalf("it is left to net/http, %v", err)
	}
	large := cap(m.texts)
	if m.Reset(); cap(m.texts) >= large || m.header != nil {
		t.Error("the memory of a large head is kept")
	}
	for _, text := range []string{head, head} {
		if _, _, ok := ParseRequest(text, &m); !ok {
			t.Fatal("it is left to net/http")
		}
		m.Reset()
	}
	left := m
	left.header, left.texts = nil, nil
	if !reflect.ValueOf(&left).Elem().IsZero() || len(m.header) > 0 || strings.Join(m.texts[:cap(m.texts)], "") != "" {
		t.Errorf("%+v is left", m)
	}
}
