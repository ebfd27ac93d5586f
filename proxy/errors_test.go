package proxy

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestRefusalsTellNoAddresses(t *testing.T) {
	to, from := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 3128}, &net.TCPAddr{IP: net.IPv4(10, 9, 9, 9), Port: 40000}
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	for _, test := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Addr: to, Err: refused}, "host could not be reached: dial tcp: connect: connection refused"},
		{fmt.Errorf("reach the upstream proxy: %w", &net.OpError{Op: "dial", Net: "tcp", Addr: to, Err: refused}),
			"host could not be reached: reach the upstream proxy: dial tcp: connect: connection refused"},
		{&net.OpError{Op: "read", Net: "tcp", Source: from, Addr: to, Err: syscall.ECONNRESET}, "host closed the connection before it answered: read tcp: connection reset by peer"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "x", Server: "10.96.0.10:53"}},
			"host could not be reached: dial tcp: lookup x: no such host"},
	} {
		f := upstreamRefusal(test.err, "host")
		if f.Title != test.want || !strings.Contains(f.Error(), test.err.Error()) {
			t.Errorf("%v is told as %q and logged as %q, want %q", test.err, f.Title, f.Error(), test.want)
		}
	}
}
