package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// The target that leaves is what net/http would write, whatever its octets.
func TestWriteTarget(t *testing.T) {
	for _, of := range [][2]string{{"/a", ""}, {"/a", "?"}, {"/a", "?b=c?d"}, {"/%61//b;c", "?%zz"}, {"//a", ""}, {"//a", "?b"}, {"/", ""}, {"", ""}, {"", "?a"}} {
		var u url.URL
		setTarget(&u, of[0], of[1])
		u.Scheme, u.Host = "https", "api.github.com"
		if got := string(appendTarget(nil, &u)); got != u.RequestURI() {
			t.Errorf("%q%q: %q, want %q", of[0], of[1], got, u.RequestURI())
		}
	}
}

// A request of HTTP/2 leaves as net/http writes it, but for the order of its fields.
func TestWriteRequestWithoutNames(t *testing.T) {
	for _, test := range []struct {
		method, body string
		header       http.Header
	}{
		{"GET", "", nil},
		{"GET", "", http.Header{"User-Agent": noUserAgent, "Accept": {"a", " b\t"}, "X-Empty": {""}, "X-None": {}}},
		{"HEAD", "", http.Header{"User-Agent": {"gh/2 (a)"}, "Authorization": {"Bearer t"}}},
		{"POST", `{"query":"{ viewer { login } }"}`, http.Header{"Content-Length": {"999"}, "Content-Type": {"application/json"}, "Te": {"trailers"}}},
		{"POST", "", http.Header{"User-Agent": {"a\r\nX-Smuggled: b"}, "A b": {"c"}}},
	} {
		var read [2]*http.Request
		var bodies [2][]byte
		for i, write := range []func(*bufio.Writer, *http.Request) error{
			func(out *bufio.Writer, req *http.Request) error { return writeRequest(out, req, nil) },
			func(out *bufio.Writer, req *http.Request) error { return req.Write(out) },
		} {
			req := &http.Request{Method: test.method, Host: "api.github.com", Header: test.header.Clone(), ContentLength: int64(len(test.body))}
			if req.Header == nil {
				req.Header = http.Header{"User-Agent": noUserAgent}
			}
			req.URL = &url.URL{Scheme: "https", Host: "api.github.com"}
			setTarget(req.URL, "/repos/acme/widgets;x", "?page=2")
			if test.body != "" {
				req.Body = io.NopCloser(strings.NewReader(test.body))
			}
			if !isPlainHead(req) {
				t.Fatal("left to net/http")
			}
			var text bytes.Buffer
			out := bufio.NewWriter(&text)
			if err := write(out, req); err != nil || out.Flush() != nil {
				t.Fatal(err)
			}
			var err error
			if read[i], err = http.ReadRequest(bufio.NewReader(&text)); err != nil {
				t.Fatalf("%s %v: %v", test.method, test.header, err)
			}
			bodies[i], _ = io.ReadAll(read[i].Body)
		}
		if read[1].Header["User-Agent"] != nil && test.header["User-Agent"] == nil {
			delete(read[1].Header, "User-Agent") // net/http's own, which the exchange always withholds
		}
		for _, same := range [][2]any{{read[0].RequestURI, read[1].RequestURI}, {read[0].Host, read[1].Host}, {read[0].Header, read[1].Header}, {read[0].ContentLength, read[1].ContentLength}, {string(bodies[0]), string(bodies[1])}} {
			if !reflect.DeepEqual(same[0], same[1]) {
				t.Errorf("%s %v: %v, want %v", test.method, test.header, same[0], same[1])
			}
		}
	}
	for _, odd := range []*http.Request{
		{Host: "", URL: &url.URL{Opaque: "/"}}, {Host: "a b", URL: &url.URL{Opaque: "/"}}, {Host: "[fe80::1%25eth0]", URL: &url.URL{Opaque: "/"}}, {Host: "\u00fc.example", URL: &url.URL{Opaque: "/"}},
		{Host: "x", URL: &url.URL{Opaque: "/a b"}}, {Host: "x", URL: &url.URL{Opaque: "/a\r\n"}}, {Host: "x", URL: &url.URL{Opaque: "/", RawQuery: "\x7f"}}, {Host: "x", URL: &url.URL{Path: "//\x00"}},
	} {
		if isPlainHead(odd) {
			t.Errorf("%q %v is not left to net/http", odd.Host, odd.URL)
		}
	}
}
