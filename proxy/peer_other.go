//go:build !linux

package proxy

import (
	"errors"
	"net"
)

// tellsPeers says that nobody can be told here.
const tellsPeers = false

// canTellPeer reports whether the uid at the other end can be looked up.
func canTellPeer(net.Addr, net.Addr) bool { return false }

func peerUID(net.Conn, net.Addr) (uint32, error) {
	return 0, errors.ErrUnsupported
}
