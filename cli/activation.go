package cli

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

const (
	// clientSocket begins the FileDescriptorName of a client's own listener.
	clientSocket = "client."
	// adminSocket is that of the admin listener.
	adminSocket = "admin"
	// ledSocket is that of the transparent listener.
	ledSocket = "transparent"
)

// sockets are the listeners that the service manager has opened. They outlive the
// process: whoever connects while it is replaced waits in their backlog.
type sockets struct{ left []*socket }

// socket is one of them.
type socket struct {
	net.Listener
	name string
}

// openSockets takes the files over.
func openSockets(files []*os.File) (*sockets, error) {
	s := new(sockets)
	for _, file := range files {
		ln, err := net.FileListener(file)
		file.Close() // it was duplicated
		if err != nil {
			s.close()
			return nil, fmt.Errorf("the service manager's socket %q is nothing to listen on: %w: the socket unit needs ListenStream= and Accept=no", file.Name(), err)
		}
		s.left = append(s.left, &socket{ln, file.Name()})
	}
	return s, nil
}

// take returns the socket of a name, or else the one that has an address of the
// configuration; nil if there is none. It is the caller's then.
func (s *sockets) take(name, address string) net.Listener {
	i := slices.IndexFunc(s.left, func(l *socket) bool { return l.name == name })
	if i < 0 {
		i = slices.IndexFunc(s.left, func(l *socket) bool { return isAddress(l.Addr(), address) })
	}
	return s.takeAt(i)
}

// takeMain returns the socket of the proxy itself: that of the address, or else the
// first that is nobody's by its name.
func (s *sockets) takeMain(address string) net.Listener {
	if ln := s.take("listen", address); ln != nil {
		return ln
	}
	return s.takeAt(slices.IndexFunc(s.left, func(l *socket) bool {
		return l.name != adminSocket && l.name != ledSocket && !strings.HasPrefix(l.name, clientSocket)
	}))
}

func (s *sockets) takeAt(i int) net.Listener {
	if i < 0 {
		return nil
	}
	ln := s.left[i].Listener
	s.left = slices.Delete(s.left, i, i+1)
	return ln
}

// warnOfRest says which sockets nobody listens on, and closes them.
func (s *sockets) warnOfRest(log *slog.Logger) {
	for _, l := range s.left {
		log.Warn("a socket of the service manager is not used", "name", l.name, "address", l.Addr().String(),
			"remedy", `FileDescriptorName= must be "listen", "client.NAME" of a client with a listen key, "admin" or "transparent"; or its address that of the configuration`)
	}
	s.close()
}

func (s *sockets) close() {
	for _, l := range s.left {
		l.Close()
	}
	s.left = nil
}

// isAddress reports whether a listener has an address of the configuration.
func isAddress(addr net.Addr, configured string) bool {
	if path, ok := strings.CutPrefix(configured, "unix:"); ok {
		return addr.Network() == "unix" && addr.String() == path
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	if port, ok := strings.CutPrefix(strings.ToLower(configured), "localhost:"); ok {
		return tcp.IP.IsLoopback() && fmt.Sprint(tcp.Port) == port
	}
	want, err := netip.ParseAddrPort(configured)
	if err != nil {
		return false
	}
	got := tcp.AddrPort()
	return got.Port() == want.Port() && (got.Addr().Unmap() == want.Addr().Unmap() || got.Addr().IsUnspecified() && want.Addr().IsUnspecified())
}
