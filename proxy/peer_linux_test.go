package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// askAs sends a request over conn, which may be bound as it likes, and returns
// the status line of the answer.
func askAs(conn net.Conn) string {
	fmt.Fprintf(conn, "GET http://api.github.com/repos/acme/widgets HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	body.ReadFrom(resp.Body)
	return resp.Status + " " + body.String()
}

// TestOtherUser is both sides: as root it starts itself as another user, which
// tries to use root's proxy.
func TestOtherUser(t *testing.T) {
	if addr := os.Getenv("GHAPP_PROXY_TEST_ADDR"); addr != "" {
		beOtherUser(t, addr, os.Getenv("GHAPP_PROXY_TEST_PORT"))
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	for _, sameUser := range []bool{true, false} {
		w := start(t, func(s *setup) { s.options.Admission = proxy.Admission{SameUser: sameUser} })
		own := w.dial(t) // stays open, so that its port can be tried from another address
		if got := askAs(own); !strings.HasPrefix(got, "200") {
			t.Errorf("the same user is answered %s", got)
		}
		other := exec.Command("/proc/self/exe", "-test.run=^TestOtherUser$", "-test.v")
		_, port, _ := net.SplitHostPort(own.LocalAddr().String())
		other.Env = append(os.Environ(), "GHAPP_PROXY_TEST_ADDR="+w.addr, "GHAPP_PROXY_TEST_PORT="+port)
		other.Dir = "/"
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := other.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		want, not := "ANSWER 200", "ANSWER 403"
		if sameUser {
			want, not = not, want
		}
		if !strings.Contains(string(out), want) || strings.Contains(string(out), not) {
			t.Errorf("SameUser %v: got %s, want only %q", sameUser, out, want)
		}
		time.Sleep(100 * time.Millisecond) // for what was sent behind a closed socket
		posted := 0
		for _, r := range w.github.Requests() {
			if r.Method == "POST" && strings.HasSuffix(r.Path(), "/issues") {
				posted++
			}
		}
		if sameUser && posted > 0 {
			t.Errorf("%d requests of a process that has closed its socket went through", posted)
		}
	}
}

// beOtherUser tries to get in by all means.
func beOtherUser(t *testing.T, addr, port string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ANSWER", askAs(conn))
	conn.Close()

	// With the port of a connection of the proxy's own user.
	var sameUsersPort int
	fmt.Sscan(port, &sameUsersPort)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: sameUsersPort}}
	if conn, err := dialer.Dial("tcp", addr); err == nil {
		fmt.Println("ANSWER", askAs(conn))
		conn.Close()
	}

	// Closed before the proxy looks: such a socket belongs to nobody.
	for range 30 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			"POST http://api.github.com/repos/acme/widgets/issues HTTP/1.1\r\n", "Host: x\r\nUser-Agent: t\r\n",
			"Content-Length: 13\r\n\r\n", `{"title":"x"}`,
		} {
			conn.Write([]byte(part))
			time.Sleep(200 * time.Microsecond)
		}
		conn.Close()
	}
}

// A dual-stack client, such as Java, reaches 127.0.0.1 with an IPv6 socket.
func TestDualStackPeer(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Admission = proxy.Admission{SameUser: true} })
	tcp, err := net.ResolveTCPAddr("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Skip(err) // no IPv6
	}
	mapped := &syscall.SockaddrInet6{Port: tcp.Port}
	copy(mapped.Addr[:], tcp.IP.To16())
	if err := syscall.Connect(fd, mapped); err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "socket")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := askAs(conn); !strings.HasPrefix(got, "200") {
		t.Errorf("an IPv6 socket is answered %s", got)
	}
}

// Who connects on this machine is told by any of its addresses.
func TestOwnAddressPeer(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		own, ok := addr.(*net.IPNet)
		if !ok || !own.IP.IsGlobalUnicast() || own.IP.To4() == nil {
			continue
		}
		for uid, want := range map[int]string{os.Getuid(): "200", os.Getuid() + 1: "403"} {
			client := &policy.Client{Name: "agent", Listen: "its own", UIDs: []uint32{uint32(uid)}, Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
			addr := serveOwn(t, net.JoinHostPort(own.IP.String(), "0"), client)
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := askAs(conn); !strings.HasPrefix(got, want) {
				t.Errorf("by %s, uids = [%d]: answered %s, want %s", own.IP, uid, got, want)
			}
		}
		return
	}
	t.Skip("the loopback address is the only one")
}

// serveOwn serves a client's own listener, and returns where that is.
func serveOwn(t *testing.T, listen string, client *policy.Client) (addr string) {
	t.Helper()
	var p *proxy.Proxy
	start(t, func(s *setup) {
		s.options.Clients = clients(t, client)
		options := s.options
		options.Upstream = proxy.NewUpstream(s.upstream)
		options.Credentials = auth.New(s.apps, auth.Options{Transport: options.Upstream.Transport(), Log: options.Log})
		p = proxy.New(options)
	})
	main, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	go p.Serve(main, &proxy.Listener{Listener: ln, Client: client.Name})
	t.Cleanup(func() { p.Shutdown(context.Background()) })
	return ln.Addr().String()
}

func TestIPv6Peer(t *testing.T) {
	w := startOn(t, "[::1]:0", func(s *setup) { s.options.Admission = proxy.Admission{SameUser: true} })
	conn := w.dial(t)
	if got := askAs(conn); !strings.HasPrefix(got, "200") {
		t.Errorf("over ::1 the same user is answered %s", got)
	}
}
