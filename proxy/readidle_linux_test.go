//go:build !386 && !s390x

package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// idleTest is a client's connection with TLS, as the relay waits for its next request.
type idleTest struct {
	secure *tls.Conn
	under  *clientConn
	client *tls.Conn
	sent   *heldConn // by the client, under its TLS
}

// heldConn is a connection that holds what is written while it is told to.
type heldConn struct {
	net.Conn
	hold bool
	text bytes.Buffer
}

func (h *heldConn) Write(p []byte) (int, error) {
	if h.hold {
		return h.text.Write(p)
	}
	return h.Conn.Write(p)
}

func newIdleTest(t testing.TB) *idleTest {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // for its certificate
	config := &tls.Config{Certificates: server.TLS.Certificates}
	server.Close()
	here, there := connected(t, "tcp")
	i := &idleTest{under: &clientConn{Conn: here, raw: rawSocketOf(here), begun: true}, sent: &heldConn{Conn: there}}
	i.secure = tls.Server(&interceptedConn{Conn: i.under}, config)
	i.client = tls.Client(i.sent, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- i.client.Handshake() }()
	if err := errors.Join(i.secure.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *idleTest) read(p []byte) (int, error) {
	return readIdle(i.secure, rawUnder(i.secure.NetConn()), p)
}

// want fails unless these octets come next.
func (i *idleTest) want(t testing.TB, text string) {
	t.Helper()
	got := make([]byte, 0, len(text))
	for len(got) < len(text) {
		n, err := i.read(got[len(got):cap(got)])
		if got = got[:len(got)+n]; err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if string(got) != text {
		t.Fatalf("read %q, want %q", got, text)
	}
}

// However records come, in parts or several at once, nothing is lost and nothing waited
// for that is there.
func TestReadIdle(t *testing.T) {
	i := newIdleTest(t)
	time.AfterFunc(20*time.Millisecond, func() { io.WriteString(i.client, "later") })
	i.want(t, "later")
	io.WriteString(i.client, "at once")
	i.want(t, "at once")

	i.sent.hold = true
	io.WriteString(i.client, "one")
	io.WriteString(i.client, "two")
	i.sent.Conn.Write(i.sent.text.Bytes())
	i.want(t, "one")
	i.want(t, "two")

	i.sent.text.Reset()
	io.WriteString(i.client, "part by part")
	go func() {
		for _, octet := range i.sent.text.Bytes() {
			i.sent.Conn.Write([]byte{octet})
			time.Sleep(time.Millisecond)
		}
	}()
	i.want(t, "part by part")
	if i.under.raw.(*rawSocket).tries {
		t.Error("later reads will not wait")
	}
}

// The end, a deadline and a close are met as by a Read that waits, which goes on after a deadline.
func TestReadIdleEnds(t *testing.T) {
	i := newIdleTest(t)
	for _, deadline := range []time.Time{longAgo, time.Now().Add(20 * time.Millisecond)} {
		i.secure.SetReadDeadline(deadline)
		if n, err := i.read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after its deadline: %d, %v", n, err)
		}
	}
	i.secure.SetReadDeadline(time.Time{})
	io.WriteString(i.client, "on")
	i.want(t, "on")
	time.AfterFunc(20*time.Millisecond, func() { i.client.Close() })
	if n, err := i.read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after close_notify: %d, %v", n, err)
	}

	j := newIdleTest(t)
	time.AfterFunc(20*time.Millisecond, func() { j.sent.Conn.Close() })
	if n, err := j.read(make([]byte, 1)); n != 0 || err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}

	k := newIdleTest(t)
	time.AfterFunc(20*time.Millisecond, func() { closeNow(k.under) })
	if n, err := k.read(make([]byte, 1)); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("after a close: %d, %v", n, err)
	}
}

// A goroutine that waits has no TLS on its stack, which is what costs memory.
func TestReadIdleIsShallow(t *testing.T) {
	i := newIdleTest(t)
	done := make(chan struct{})
	go func() { defer close(done); i.read(make([]byte, 1)) }()
	var waiting string
	for waiting == "" {
		time.Sleep(time.Millisecond)
		all := make([]byte, 1<<20)
		for stack := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
			if strings.Contains(stack, "proxy.readIdle(") && strings.Contains(stack, "[IO wait") {
				waiting = stack
			}
		}
	}
	if strings.Contains(waiting, "crypto/tls") {
		t.Errorf("it waits so:\n%s", waiting)
	}
	i.client.Close()
	<-done
}

// What has come before the wait begins ends it, too: the poller tells of it once, and may have done so.
func TestReadIdleComesBefore(t *testing.T) {
	here, there := connected(t, "tcp")
	raw := rawSocketOf(here).(*rawSocket)
	if _, err := there.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	raw.SetReadDeadline(time.Now().Add(5 * time.Second))
	if err := raw.wait(); err != nil {
		t.Errorf("it waits for what is there: %v", err)
	}
}
