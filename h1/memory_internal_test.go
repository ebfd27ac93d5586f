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
	if cap(m.values) == 0 || m.header == nil {
		t.Error("its memory is not kept")
	}
	if resp, _, err := ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil, &m); err != nil || resp != &m.response.Response {
		t.Fatalf("it is left to net/http, %v", err)
	}
	large := cap(m.values)
	if m.Reset(); cap(m.values) >= large || m.header != nil {
		t.Error("the memory of a large head is kept")
	}
	for _, text := range []string{head, head} {
		if _, _, ok := ParseRequest(text, &m); !ok {
			t.Fatal("it is left to net/http")
		}
		m.Reset()
	}
	left := m
	left.header, left.values, left.names = nil, nil, nil
	if !reflect.ValueOf(&left).Elem().IsZero() || len(m.header) > 0 || strings.Join(m.values[:cap(m.values)], "") != "" {
		t.Errorf("%+v is left", m)
	}
}

// What is expected of the next head is no part of a head before it.
func TestExpectedNames(t *testing.T) {
	var m Memory
	for _, head := range []string{
		"GET / HTTP/1.1\r\nhost: x\r\nX-Canary: 1\r\nACCEPT: 1\r\nAccept: 2\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nx-canary: 2\r\nAccept: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHosts: x\r\nHost: x\r\nAccept : y\r\n\r\n",
		"GET / HTTP/1.1\r\nHosts: x\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
	} {
		r, names, ok := ParseRequest(head, &m)
		if ok == strings.Contains(head, " :") {
			t.Fatalf("%q is in the grammar: %v", head, ok)
		}
		if ok && r.Host != "x" {
			t.Errorf("%q: it is for %q", head, r.Host)
		}
		for i, line := range strings.SplitAfter(head, "\r\n")[1:][:len(names)] {
			if spelled, _, _ := strings.Cut(line, ":"); names[i].Spelled != spelled || names[i].Key != Key(spelled) {
				t.Errorf("%q: name %d is %+v, want %s", head, i, names[i], spelled)
			}
		}
		m.Reset()
		for _, name := range m.names[:cap(m.names)] {
			if strings.EqualFold(name.Spelled, "X-Canary") || strings.EqualFold(name.Key, "X-Canary") || name.Spelled == "ACCEPT" {
				t.Errorf("%s is there still", name.Spelled)
			}
		}
	}
}
