package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// muffle makes the system drop whatever arrives at a connection before TCP sees
// it: to the other end the path is dead.
func muffle(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	gone := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]})
	})
	if err := errors.Join(err, gone); err != nil {
		t.Skip(err)
	}
}

// noting is a listener that notes the connections it accepts.
type noting struct {
	net.Listener
	accepted chan net.Conn
}

func (l noting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- conn
	}
	return conn, err
}

// startNoting starts a host, and an Upstream that reaches it as host.example.com
// and takes a path for dead after a short silence.
func startNoting(t *testing.T, silence time.Duration, h2 bool, h http.HandlerFunc) (*Upstream, <-chan net.Conn) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	accepted := make(chan net.Conn, 64)
	srv.Listener = noting{srv.Listener, accepted}
	srv.EnableHTTP2 = h2
	srv.StartTLS()
	addr := srv.Listener.Addr().String()
	u := newUpstream(UpstreamOptions{ConnectTo: map[string]string{"example.com:443": addr}, HTTP2: h2}, silence)
	u.served.pool.TLSClientConfig.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	u.served.alone.TLSClientConfig.RootCAs = u.served.pool.TLSClientConfig.RootCAs
	t.Cleanup(func() {
		u.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return u, accepted
}

// A request on a connection whose packets are lost is answered over another one.
func TestDeadPath(t *testing.T) {
	t.Parallel()
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, accepted := startNoting(t, time.Second, h2, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Method) })
			if got, err := ask(t, u, "GET", nil); got != "GET" {
				t.Fatal(got, err)
			}
			muffle(t, <-accepted)
			if got, err := ask(t, u, "GET", nil); got != "GET" {
				t.Errorf("over a dead path: %q, %v", got, err)
			}
		})
	}
}

// What is not safe to repeat does not begin on a path that has died since.
func TestDeadPathAndPOST(t *testing.T) {
	t.Parallel()
	u, accepted := startNoting(t, time.Hour, false, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Method) })
	if got, err := ask(t, u, "GET", nil); got != "GET" {
		t.Fatal(got, err)
	}
	muffle(t, <-accepted)
	if got, err := ask(t, u, "POST", strings.NewReader("x")); got != "POST" {
		t.Errorf("POST beside a dead path: %q, %v", got, err)
	}
}

// A host that thinks, or takes nothing for a while, lives.
func TestSilentHost(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	u, _ := startNoting(t, silence, false, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * silence)
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Errorf("the upload ended after %d bytes: %v", n, err)
		}
		io.WriteString(w, "thought")
	})
	for _, size := range []int64{0, 32 << 20} { // much more than what fits into buffers
		if got, err := ask(t, u, "PUT", io.LimitReader(zeros{}, size)); got != "thought" {
			t.Errorf("upload of %d bytes: %q, %v", size, got, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A tunnel whose path is dead ends, whether something is on its way or not, also one
// that has outlived the configuration that it began with.
func TestDeadTunnel(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"idle": "", "busy": "x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			u := newUpstream(UpstreamOptions{}, time.Second)
			conn, err := u.dialTunnel(t.Context(), parse(t, ln.Addr().String()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			u.Close()
			host, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer host.Close()
			muffle(t, host)
			io.WriteString(conn, text)
			conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("the dead tunnel ended with %v, want ETIMEDOUT", err)
			}
		})
	}
}

// A connection is silent while something is on its way that nobody acknowledges,
// though there is room for it.
func TestIsSilent(t *testing.T) {
	p := &pulse{patience: 20 * time.Second}
	for _, test := range []struct {
		info unix.TCPInfo
		want bool
	}{
		{unix.TCPInfo{Unacked: 1, Snd_wnd: 65535, Last_ack_recv: 10_001}, true},
		{unix.TCPInfo{Unacked: 1, Snd_wnd: 65535, Last_ack_recv: 9_999}, false},
		{unix.TCPInfo{Unacked: 0, Snd_wnd: 65535, Last_ack_recv: 600_000}, false}, // it is thinking
		{unix.TCPInfo{Unacked: 1, Snd_wnd: 0, Last_ack_recv: 60_000}, false},      // it has paused
	} {
		if got := p.isSilent(&test.info); got != test.want {
			t.Errorf("unacknowledged %d, window %d, last acknowledgement %d ms ago: silent %v, want %v",
				test.info.Unacked, test.info.Snd_wnd, test.info.Last_ack_recv, got, test.want)
		}
	}
}

// The limit of a connection that was silent is lifted when it is no longer.
func TestPulseLifts(t *testing.T) {
	ln, _ := local(t, "127.0.0.1:0")
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var limit int
	option := func(do func(fd int) error) {
		t.Helper()
		var err error
		gone := raw.Control(func(fd uintptr) { err = do(int(fd)) })
		if err := errors.Join(err, gone); err != nil {
			t.Fatal(err)
		}
	}
	option(func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 5000) })
	if silent, err := (&pulse{patience: time.Hour}).limit(raw, true); silent || err != nil {
		t.Errorf("limit: %v, %v", silent, err)
	}
	option(func(fd int) (err error) {
		limit, err = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		return err
	})
	if limit != 0 {
		t.Errorf("the limit is %d ms, want none", limit)
	}
}

// What is closed is no longer watched, and nothing runs when nothing is.
func TestPulseForgets(t *testing.T) {
	t.Parallel()
	u, _ := startNoting(t, 40*time.Millisecond, false, func(http.ResponseWriter, *http.Request) {})
	if _, err := ask(t, u, "POST", nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		u.pulse.mu.Lock()
		n, timer := len(u.pulse.conns), u.pulse.timer
		u.pulse.mu.Unlock()
		if n == 0 && timer == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are watched after all were closed", n)
		}
	}
}
