//go:build !386 && !s390x

package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/internal/racetest"
)

// connected returns both ends of a connection.
func connected(t testing.TB, network string) (here, there net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if here, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close(); there.Close() })
	return here, there
}

// socketCases are what a connection may meet; each returns what a Read or a Write made of it.
var socketCases = map[string]func(c, peer net.Conn) (int, error){
	"octets": func(c, peer net.Conn) (int, error) {
		io.WriteString(peer, "abc")
		return c.Read(make([]byte, 8))
	},
	"octets that come later": func(c, peer net.Conn) (int, error) {
		time.AfterFunc(20*time.Millisecond, func() { io.WriteString(peer, "abc") })
		return c.Read(make([]byte, 2))
	},
	"the end": func(c, peer net.Conn) (int, error) {
		peer.Close()
		return c.Read(make([]byte, 8))
	},
	"a read of nothing": func(c, peer net.Conn) (int, error) { return c.Read(nil) },
	"a read of nothing, closed": func(c, peer net.Conn) (int, error) {
		c.Close()
		return c.Read(nil)
	},
	"a write of nothing": func(c, peer net.Conn) (int, error) { return c.Write(nil) },
	"a write":            func(c, peer net.Conn) (int, error) { return c.Write([]byte("abc")) },
	"a read, closed": func(c, peer net.Conn) (int, error) {
		c.Close()
		return c.Read(make([]byte, 8))
	},
	"a write, closed": func(c, peer net.Conn) (int, error) {
		c.Close()
		return c.Write([]byte("abc"))
	},
	"a read that is closed": func(c, peer net.Conn) (int, error) {
		time.AfterFunc(20*time.Millisecond, func() { c.Close() })
		return c.Read(make([]byte, 8))
	},
	"a read after its deadline": func(c, peer net.Conn) (int, error) {
		io.WriteString(peer, "abc")
		c.SetReadDeadline(time.Unix(1, 0))
		return c.Read(make([]byte, 8))
	},
	"a read until its deadline": func(c, peer net.Conn) (int, error) {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		return c.Read(make([]byte, 8))
	},
	"a write after its deadline": func(c, peer net.Conn) (int, error) {
		c.SetWriteDeadline(time.Unix(1, 0))
		return c.Write([]byte("abc"))
	},
	"a read, reset": func(c, peer net.Conn) (int, error) {
		reset(peer, c)
		return c.Read(make([]byte, 8))
	},
	"a write, shut": func(c, peer net.Conn) (int, error) {
		c.(interface{ CloseWrite() error }).CloseWrite()
		return c.Write([]byte("abc"))
	},
}

// reset closes a connection in such a way that its other end is reset.
func reset(peer, c net.Conn) {
	if tcp, ok := peer.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	io.WriteString(c, "unread") // a Unix socket is reset by that
	peer.Close()
}

// A rawSocket reads and writes as net's own connection does, and has its errors.
func TestRawSocket(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, do := range socketCases {
			t.Run(network+"/"+name, func(t *testing.T) {
				here, there := connected(t, network)
				wantN, want := do(here, there)
				here2, there2 := connected(t, network)
				raw := rawSocketOf(here2)
				if raw == here2 {
					t.Fatal("not raw")
				}
				n, err := do(raw, there2)
				if got, want := metWith(n, err), metWith(wantN, want); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}

// metWith says all that a caller can find out about a Read or a Write, but for the addresses.
func metWith(n int, err error) string {
	s := fmt.Sprintf("%d octets, EOF %v, closed %v, deadline %v, reset %v, pipe %v", n, err == io.EOF,
		errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE))
	if op, ok := err.(*net.OpError); ok {
		s += fmt.Sprintf(", %s %s, source %v, address %v, timeout %v, temporary %v: %T %[7]v", op.Op, op.Net, op.Source != nil, op.Addr != nil, op.Timeout(), op.Temporary(), op.Err)
	}
	return s
}

// What does not fit into the system's buffers is written all the same, also when several
// read and write at once.
func TestRawSocketWritesAll(t *testing.T) {
	const size, writers = 3 << 20, 4
	for _, network := range []string{"tcp", "unix"} {
		here, there := connected(t, network)
		c, peer := rawSocketOf(here), rawSocketOf(there)
		text := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		done := make(chan error, writers)
		for range writers {
			go func() {
				n, err := c.Write(text)
				if n != len(text) {
					err = errors.Join(err, fmt.Errorf("%d octets were written", n))
				}
				done <- err
			}()
		}
		got := make([]byte, writers*size)
		if _, err := io.ReadFull(peer, got); err != nil {
			t.Fatal(network, err)
		}
		for range writers {
			if err := <-done; err != nil {
				t.Error(network, err)
			}
		}
		if !bytes.Equal(got, bytes.Repeat(text, writers)) {
			t.Error(network, "other octets than were written, or writes that mingle")
		}
	}
}

// A write that is cut off by its deadline says how much was written.
func TestRawSocketCutOff(t *testing.T) {
	here, there := connected(t, "tcp")
	c := rawSocketOf(here)
	c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := c.Write(make([]byte, 64<<20))
	if n <= 0 || n >= 64<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d octets, %v", n, err)
	}
	c.Close()
	if m, err := io.Copy(io.Discard, there); m != int64(n) || err != nil {
		t.Errorf("%d octets arrived of %d that were written: %v", m, n, err)
	}
}

// Neither a Read nor a Write allocates.
func TestRawSocketAllocates(t *testing.T) {
	if racetest.Enabled {
		t.Skip("sync.Pool drops some")
	}
	here, there := connected(t, "tcp")
	c, peer := rawSocketOf(here), rawSocketOf(there)
	p := make([]byte, 512)
	if n := testing.AllocsPerRun(100, func() { c.Write(p); peer.Read(p) }); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}

// Only what is intercepted is read so: a tunnel's connection stays one that the kernel
// can splice.
func TestRawSocketIsUnderClient(t *testing.T) {
	here, _ := connected(t, "tcp")
	c := &clientConn{Conn: here}
	if c.io() != here {
		t.Error("a connection is raw before it is intercepted")
	}
	u := &usage{}
	here.Close() // so that it goes no further
	new(Proxy).intercept(c, session{caller: caller{usage: u, slot: &slot{usage: u}}}, entrance{accepted: "accepted"})
	if (c.io() == here) != racetest.Enabled {
		t.Errorf("an intercepted connection is read by a %T", c.io())
	}
	if bare(c) != here {
		t.Errorf("bare is a %T", bare(c))
	}
	if conn := rawSocketOf(struct{ net.Conn }{here}); conn == here {
		t.Error("another's connection was unwrapped")
	}
}

// Kept connections to hosts are read so, and can be looked at.
func TestRawSocketUpstream(t *testing.T) {
	u, _ := startNoting(t, time.Hour, false, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Method) })
	for range 2 {
		if got, err := ask(t, u, "GET", nil); got != "GET" {
			t.Fatal(got, err)
		}
	}
	for _, list := range u.served.kept.idle {
		for _, conn := range list {
			if _, raw := conn.records.Conn.(*rawSocket); raw == racetest.Enabled {
				t.Errorf("it is read by a %T", conn.records.Conn)
			}
			if !conn.isQuiet() || len(list) > 1 {
				t.Errorf("%d connections are kept; quiet: %v", len(list), conn.isQuiet())
			}
		}
	}
}
