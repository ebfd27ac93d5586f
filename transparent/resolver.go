package transparent

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ghapp-proxy/panics"
)

const (
	// maxQuery bounds a question: with a name of 255 bytes and EDNS it has 300 or so.
	maxQuery = 4096
	// maxQueryConns is how many connections ask at once over TCP, of which clients need one now and then. One too many
	// closes an older one: the first of the network that has most.
	maxQueryConns = 64
	// queryPatience is how long one of them may take for a question, and maxQueries how many it may ask.
	queryPatience = 10 * time.Second
	maxQueries    = 256
	// readPause is how long to wait after an error that may pass, as when there is no memory.
	readPause = 20 * time.Millisecond
)

// Resolver answers questions of DNS by Names. Fields must not be changed once it serves.
type Resolver struct {
	Names *Names
	// Leads reports whether the proxy leads to a name, in lower case and without a dot at
	// its end, on some port. It is called for each question, from many goroutines.
	Leads func(name string) bool
	Log   *slog.Logger

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{}
	wg     sync.WaitGroup
}

// Serve answers what is asked by udp and tcp, either of which may be nil, until Close. It owns them. It may be
// called for several.
func (r *Resolver) Serve(udp net.PacketConn, tcp net.Listener) error {
	failed := make(chan error, 2)
	n := 0
	serve := func(c io.Closer, f func() error) {
		if n++; !r.add(c) {
			failed <- net.ErrClosed
			return
		}
		go func() {
			defer r.remove(c)
			failed <- f()
		}()
	}
	if udp != nil {
		serve(udp, func() error { return r.serveUDP(udp) })
	}
	if tcp != nil {
		serve(tcp, func() error { return r.serveTCP(tcp) })
	}
	var err error
	for range n {
		if one := <-failed; !errors.Is(one, net.ErrClosed) {
			err = errors.Join(err, one)
			r.Close()
		}
	}
	return err
}

// Close ends what Serve does, and returns when nothing of it is left.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// add has Close close c; false, and c is closed, if that was called.
func (r *Resolver) add(c io.Closer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		c.Close()
		return false
	}
	if r.open == nil {
		r.open = make(map[io.Closer]struct{})
	}
	r.open[c] = struct{}{}
	r.wg.Add(1)
	return true
}

func (r *Resolver) remove(c io.Closer) {
	c.Close()
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
	r.wg.Done()
}

// serveUDP answers one question after the other: none takes longer than to look it up.
func (r *Resolver) serveUDP(conn net.PacketConn) error {
	buf := make([]byte, maxQuery+1)
	for {
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			time.Sleep(readPause)
			continue
		}
		if said := r.answer(buf[:n], addrOf(from)); said != nil {
			_, _ = conn.WriteTo(said, from) // who got nothing asks again
		}
	}
}

// serveTCP accepts connections, each of which may ask several questions (RFC 7766).
func (r *Resolver) serveTCP(ln net.Listener) error {
	asking := asking{of: make(map[netip.Prefix][]net.Conn)}
	for {
		conn, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			time.Sleep(readPause)
			continue
		case !r.add(conn):
			return net.ErrClosed
		}
		asking.add(conn)
		go func() {
			defer r.remove(conn)
			defer asking.remove(conn)
			r.serveConn(conn)
		}()
	}
}

// asking are the connections that ask over TCP.
type asking struct {
	mu sync.Mutex
	of map[netip.Prefix][]net.Conn // network → its connections, in the order in which they came
	n  int                         // of all
}

// add adds a connection, and closes the one that has to go for it.
func (a *asking) add(conn net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n >= maxQueryConns {
		var most []net.Conn
		for _, conns := range a.of {
			if len(conns) > len(most) {
				most = conns
			}
		}
		most[0].Close()
		a.drop(most[0])
	}
	from := NetworkOf(addrOf(conn.RemoteAddr()))
	a.of[from] = append(a.of[from], conn)
	a.n++
}

// remove takes a connection out, if it is there.
func (a *asking) remove(conn net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(conn)
}

// drop is remove. a.mu is held.
func (a *asking) drop(conn net.Conn) {
	from := NetworkOf(addrOf(conn.RemoteAddr()))
	conns := a.of[from]
	at := slices.Index(conns, conn)
	if at < 0 {
		return
	}
	a.n--
	if len(conns) == 1 {
		delete(a.of, from)
		return
	}
	a.of[from] = slices.Delete(conns, at, at+1)
}

// serveConn answers what one connection asks: messages with their length before them
// (RFC 1035, section 4.2.2).
func (r *Resolver) serveConn(conn net.Conn) {
	from, buf := addrOf(conn.RemoteAddr()), make([]byte, 2+maxQuery)
	for range maxQueries {
		conn.SetDeadline(time.Now().Add(queryPatience))
		if _, err := io.ReadFull(conn, buf[:2]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(buf))
		if n > maxQuery {
			return
		}
		if _, err := io.ReadFull(conn, buf[2:2+n]); err != nil {
			return
		}
		said := r.answer(buf[2:2+n], from)
		if said == nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(said))), said...)); err != nil {
			return
		}
	}
}

// answer is what a question is answered, nil for nothing.
func (r *Resolver) answer(query []byte, from netip.Addr) (said []byte) {
	defer panics.Log(r.Log, "a question of DNS could not be answered")
	if len(query) > maxQuery {
		return nil
	}
	q, ok := readQuestion(query)
	if !ok {
		return nil
	}
	a := r.decide(q, from)
	r.Log.Log(context.Background(), slog.LevelDebug, "resolved", "client", from.String(), "name", q.host(), "type", q.Type.String(), "answer", a.String())
	return a.message(q)
}

func addrOf(addr net.Addr) netip.Addr {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{}
}
