package proxy_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"ghapp-proxy/cache"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// lateListener has connections of which whoever writes learns late that it has.
type lateListener struct{ net.Listener }

func (l lateListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return lateConn{conn}, err
}

type lateConn struct{ net.Conn }

func (c lateConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	time.Sleep(20 * time.Millisecond)
	return n, err
}

// TestLeavesWithAll: a client of HTTP/2 that leaves when it has the length that was announced, as curl
// does, has had the whole answer.
func TestLeavesWithAll(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Cache = cache.New(1 << 20) // whose answers come in one part
		s.listener = func(ln net.Listener) net.Listener { return lateListener{ln} }
	})
	const small, large = "/repos/acme/widgets", "/repos/acme/widgets/readme"
	_, text := get(t, w.client(t, true), "https://api.github.com"+small)
	lengths := map[string]int{small: len(text), large: 40_000} // somewhat more than what net/http keeps, and much more
	w.github.Handle("api.github.com", large, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(lengths[large]))
		w.Write(bytes.Repeat([]byte("x"), lengths[large]))
	}))
	const clients = 10 // of each
	for range clients {
		for path, length := range lengths {
			leaveWith(t, w, path, length)
		}
	}
	w.eventually(t, "a record for each", func() bool { return len(w.records(t)) > 2*clients })
	for _, record := range w.records(t) {
		if want := int64(lengths[record.Path]); record.Reason != "" || record.Received != want {
			t.Errorf("%s: %d bytes, %q; want %d, and no fault", record.Path, record.Received, record.Reason, want)
		}
	}
}

// leaveWith asks for what has a length, and leaves with the last byte.
func leaveWith(t *testing.T, w *world, path string, length int) {
	t.Helper()
	var head bytes.Buffer
	fields := hpack.NewEncoder(&head)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "api.github.com"}, {":path", path}, {"user-agent", "curl"}} {
		fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
	io.WriteString(conn, http2.ClientPreface)
	frames := http2.NewFramer(conn, conn)
	frames.WriteSettings()
	frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
	for got := 0; got < length; {
		frame, err := frames.ReadFrame()
		if err != nil {
			t.Fatalf("%s, after %d bytes: %v", path, got, err)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			got += len(data.Data())
		}
	}
	conn.NetConn().Close()
}
