package proxy

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// canTellPeer reports whether the uid at the other end can be looked up.
func canTellPeer(remote net.Addr) bool {
	tcp, ok := remote.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// peerUID asks the kernel (sock_diag(7)) who owns the socket at the other end
// of a loopback connection.
func peerUID(remote, local net.Addr) (uint32, error) {
	socket, err := netlink.SocketGet(remote, local) // seen from there, remote is local
	if err != nil {
		return 0, fmt.Errorf("look up the peer's socket: %w", err)
	}
	return socket.UID, nil
}
