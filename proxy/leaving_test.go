package proxy_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
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
	_, text := get(t, w.client(t, true), "https://api.github.com/repos/acme/widgets")
	length := len(text)
	var head bytes.Buffer
	fields := hpack.NewEncoder(&head)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "api.github.com"}, {":path", "/repos/acme/widgets"}, {"user-agent", "curl"}} {
		fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	const clients = 10
	for range clients {
		conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
		io.WriteString(conn, http2.ClientPreface)
		frames := http2.NewFramer(conn, conn)
		frames.WriteSettings()
		frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
		for got := 0; got < length; {
			frame, err := frames.ReadFrame()
			if err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			if data, ok := frame.(*http2.DataFrame); ok {
				got += len(data.Data())
			}
		}
		conn.NetConn().Close()
	}
	w.eventually(t, "a record for each", func() bool { return len(w.records(t)) >= clients })
	for _, record := range w.records(t) {
		if record.Reason != "" || record.Received != int64(length) {
			t.Errorf("%d bytes, %q; want %d, and no fault", record.Received, record.Reason, length)
		}
	}
}
