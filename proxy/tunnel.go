package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// tunnels are the connections that pass unread. They are tracked so that they
// end with the proxy.
type tunnels struct {
	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// add tracks conns, or reports that the proxy is closing.
func (t *tunnels) add(conns ...net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if t.open == nil {
		t.open = make(map[net.Conn]struct{})
	}
	for _, conn := range conns {
		t.open[conn] = struct{}{}
	}
	t.wg.Add(1)
	return true
}

func (t *tunnels) remove(conns ...net.Conn) {
	t.mu.Lock()
	for _, conn := range conns {
		delete(t.open, conn)
	}
	t.mu.Unlock()
	t.wg.Done()
}

// drain waits until all tunnels have ended by themselves, or closes them when
// ctx ends.
func (t *tunnels) drain(ctx context.Context) {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for conn := range t.open {
			conn.Close()
		}
	})
	t.wg.Wait()
	stop()
}

// tunnel copies between the client and the host it asked for until both have
// finished, and closes both.
func (p *Proxy) tunnel(client, host net.Conn, line *slog.Logger) {
	start := time.Now()
	defer client.Close()
	defer host.Close()
	if !p.tunnels.add(client, host) {
		return
	}
	defer p.tunnels.remove(client, host)

	type result struct {
		n   int64
		err error
	}
	up := make(chan result, 1)
	go func() {
		n, err := copyHalf(host, client)
		up <- result{n, err}
	}()
	received, err := copyHalf(client, host)
	sent := <-up
	if err = errors.Join(err, sent.err); err != nil {
		line = line.With("error", err)
	}
	line.Info("tunnel", "bytes_in", sent.n, "bytes_out", received, "duration", time.Since(start).Round(time.Microsecond))
}

// copyHalf copies one direction and passes its end on. Between two bare TCP
// connections io.Copy splices: the bytes stay in the kernel.
func copyHalf(dst, src net.Conn) (n int64, err error) {
	if early, ok := src.(*prefixConn); ok {
		if n, err = early.prefix.WriteTo(dst); err != nil {
			return n, err
		}
		src = early.Conn
	}
	if early, ok := dst.(*prefixConn); ok {
		dst = early.Conn
	}
	m, err := io.Copy(dst, src)
	if err != nil {
		// The other direction may be waiting for bytes that will not come.
		dst.Close()
		src.Close()
		return n + m, err
	}
	return n + m, closeWrite(dst)
}
