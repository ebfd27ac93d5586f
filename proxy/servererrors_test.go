package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// TestServerErrors: what never reaches a handler of ours is answered in our name.
func TestServerErrors(t *testing.T) {
	w := start(t, nil)
	outer := func(t *testing.T) net.Conn { return w.dial(t) }
	inner := func(t *testing.T) net.Conn {
		return w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"http/1.1"}})
	}
	tunnel := func(t *testing.T) net.Conn {
		conn := w.dial(t)
		fmt.Fprint(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
		readHead(t, bufio.NewReader(conn))
		return conn
	}
	for name, test := range map[string]struct {
		dial   func(*testing.T) net.Conn
		text   string
		status int
		want   string
	}{
		"a large head":         {outer, "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 200<<10), 431, "larger than 128 KiB"},
		"a large head, TLS":    {inner, "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 200<<10), 431, "larger than 128 KiB"},
		"no request":           {outer, "hello\r\n\r\n", 400, "could not be read: Bad Request"},
		"no request, TLS":      {inner, "hello\r\n\r\n", 400, "could not be read: Bad Request"},
		"no request but a lot": {outer, "hello\r\n\r\n" + strings.Repeat("x", 8<<20), 400, "could not be read: Bad Request"},
		"no host, TLS":         {inner, "GET / HTTP/1.1\r\n\r\n", 400, "missing required Host header"},
		"another version":      {outer, "GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505, "unsupported protocol version"},
		"an unknown coding":    {outer, "POST http://api.github.com/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n", 501, "Unsupported transfer encoding"},
		"TLS":                  {outer, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "set HTTPS_PROXY to http://"},
		"HTTP in a tunnel":     {tunnel, "GET / HTTP/1.1\r\nHost: api.github.com\r\n\r\n", 400, "a request without TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := test.dial(t)
			if _, err := io.WriteString(conn, test.text); err != nil {
				t.Fatal(err) // it is read on, whatever it is
			}
			resp := readHead(t, bufio.NewReader(conn))
			refused(t, resp, test.status, test.want)
			if !resp.Close {
				t.Error("the connection is kept")
			}
		})
	}
}
