package proxy

import (
	"bufio"
	"net"
	"net/http"
)

// safeHijacker keeps what the client sent right behind its CONNECT. goproxy
// 1.9.4 replays it in its own tunnels and interception only; ConnectHijack gets
// the bare connection, without an early ClientHello. TestEarlyClientHello fails
// without it.
type safeHijacker struct {
	http.ResponseWriter
}

// Hijack implements http.Hijacker.
func (w safeHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return withPrefix(arrived(conn), rw.Reader), rw, nil
}
