//go:build !unix

package proxy

import "net"

// canPeek reports that a socket cannot be looked at here.
const canPeek = false

type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) isQuiet() bool { return false }
