//go:build unix

package cli

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/policy"
)

// listenAsManager listens where a service manager would.
func listenAsManager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip("no such sockets here:", err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv(notifyEnv, path)
	return conn
}

// toldNext is what the manager is told next.
func toldNext(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	text := make([]byte, 1<<10)
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := conn.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:n])
}

// What a service manager says is for this process and none that it starts.
func TestManagerLeavesNoTrace(t *testing.T) {
	listenAsManager(t)
	for name, value := range map[string]string{
		"LISTEN_PID": strconv.Itoa(os.Getpid() + 1), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": strconv.Itoa(os.Getpid()),
	} {
		t.Setenv(name, value)
	}
	m := findManager()
	if m.conn == nil || m.watchdog != time.Second || len(m.files) != 0 {
		t.Errorf("%+v, want a connection, a second, and no sockets: they are another process's", m)
	}
	for _, entry := range os.Environ() {
		for _, prefix := range []string{"LISTEN_", "WATCHDOG_", notifyEnv} {
			if strings.HasPrefix(entry, prefix) {
				t.Errorf("the environment still has %s", entry)
			}
		}
	}
}

func TestManagerIsTold(t *testing.T) {
	conn := listenAsManager(t)
	m := findManager()
	for _, test := range []struct {
		tell func()
		want string
	}{
		{func() { m.ready("all is well") }, "READY=1\nSTATUS=all is well\n"},
		{m.reloading, "RELOADING=1\nMONOTONIC_USEC="},
		{func() { m.stopping(time.Second) }, "STOPPING=1\nEXTEND_TIMEOUT_USEC=1000000\n"},
		{m.alive, "WATCHDOG=1\n"},
	} {
		test.tell()
		if got := toldNext(t, conn); !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n\n") {
			t.Errorf("it is told %q, want %q", got, test.want)
		}
	}
	(*manager)(nil).alive() // nobody is told
}

// The watchdog is answered while the proxy is, and not when it is not.
func TestWatchdog(t *testing.T) {
	conn := listenAsManager(t)
	m := findManager()
	m.watchdog = 200 * time.Millisecond
	ok := make(chan bool, 1)
	ok <- true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers := <-ok
		ok <- answers
		if !answers {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.answerWatchdog(ctx, srv.Listener.Addr(), config.FormPlain, slog.New(slog.DiscardHandler))
	}()
	for range 3 {
		if got := toldNext(t, conn); got != "WATCHDOG=1\n" {
			t.Errorf("it is told %q", got)
		}
	}
	<-ok
	ok <- false
	conn.SetReadDeadline(time.Now().Add(3 * m.watchdog))
	more := 0
	for _, err := conn.Read(make([]byte, 100)); err == nil; _, err = conn.Read(make([]byte, 100)) {
		more++
	}
	if more > 1 { // one may have been on its way
		t.Errorf("it is told %d times more, though the proxy does not answer", more)
	}
	cancel()
	<-ended
}

// fileOf is a listener's, as a service manager would pass it.
func fileOf(t *testing.T, network, address, name string) *os.File {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	file, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	own, err := syscall.Dup(int(file.Fd())) // with another name
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(own), name)
}

func TestSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "two.sock")
	files := []*os.File{
		fileOf(t, "tcp", "127.0.0.1:0", "client.one"), fileOf(t, "unix", path, "ghapp-proxy.socket"),
		fileOf(t, "tcp", "127.0.0.1:0", adminSocket), fileOf(t, "tcp", "127.0.0.1:0", "ghapp-proxy.socket"),
	}
	open, err := openSockets(files)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, l := range open.left {
		want[l.name+l.Addr().Network()] = l.Addr().String()
	}
	clients, faults := policy.NewSet([]*policy.Client{{Name: "one", Listen: "127.0.0.1:1"}, {Name: "two", Listen: "unix:" + path}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	cfg := &config.Config{Fixed: config.Fixed{Listen: "127.0.0.1:1"}, Live: config.Live{Clients: clients}} // which it does not listen on
	ln, own, err := listenAll(t.Context(), cfg, open)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(ln, own)
	if got := ln.Addr().String(); got != want["ghapp-proxy.sockettcp"] {
		t.Errorf("the proxy listens on %s, want %s", got, want["ghapp-proxy.sockettcp"])
	}
	for _, l := range own {
		if got := l.Addr().String(); got != map[string]string{"one": want["client.onetcp"], "two": path}[l.Client] {
			t.Errorf("client %s listens on %s", l.Client, got)
		}
		if c, _ := clients.ByName(l.Client); l.Address != c.Listen {
			t.Errorf("the listener of %s is that of %q, want %q", l.Client, l.Address, c.Listen)
		}
	}
	if admin := open.take(adminSocket, ""); admin == nil || admin.Addr().String() != want["admintcp"] {
		t.Error("the admin listener has not its socket")
	} else {
		admin.Close()
	}
	var log strings.Builder
	open.warnOfRest(slog.New(slog.NewTextHandler(&log, nil)))
	if log.Len() > 0 {
		t.Errorf("there is a warning: %s", &log)
	}
}

// A socket that nobody listens on is told, and one that is none is an error.
func TestSocketsThatDoNotFit(t *testing.T) {
	open, err := openSockets([]*os.File{fileOf(t, "tcp", "127.0.0.1:0", "client.nobody")})
	if err != nil {
		t.Fatal(err)
	}
	if ln := open.takeMain("127.0.0.1:1"); ln != nil {
		t.Error("the proxy listens on a client's socket")
	}
	var log strings.Builder
	open.warnOfRest(slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(log.String(), "client.nobody") {
		t.Errorf("the log is %q, want the socket's name", &log)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openSockets([]*os.File{file}); err == nil || !strings.Contains(err.Error(), "ListenStream=") {
		t.Errorf("the error for a file is %v", err)
	}
}

func TestIsAddress(t *testing.T) {
	tcp := func(s string) net.Addr {
		addr, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return addr
	}
	for _, test := range []struct {
		addr       net.Addr
		configured string
		want       bool
	}{
		{tcp("127.0.0.1:80"), "127.0.0.1:80", true},
		{tcp("127.0.0.1:80"), "127.0.0.1:81", false},
		{tcp("127.0.0.1:80"), "localhost:80", true},
		{tcp("192.0.2.1:80"), "localhost:80", false},
		{tcp("[::]:80"), "0.0.0.0:80", true}, // which systemd makes of ListenStream=80
		{tcp("[::]:80"), "127.0.0.1:80", false},
		{tcp("[::ffff:127.0.0.1]:80"), "127.0.0.1:80", true},
		{&net.UnixAddr{Name: "/run/x"}, "unix:/run/x", false}, // no stream
		{&net.UnixAddr{Name: "/run/x", Net: "unix"}, "unix:/run/x", true},
		{&net.UnixAddr{Name: "/run/x", Net: "unix"}, "127.0.0.1:80", false},
	} {
		if got := isAddress(test.addr, test.configured); got != test.want {
			t.Errorf("isAddress(%v, %q) = %v, want %v", test.addr, test.configured, got, test.want)
		}
	}
}
