//go:build !unix

package proxy

import "net"

// canPeek reports that isQuiet cannot look at a connection here.
const canPeek = false

func isQuiet(net.Conn) bool { return false }
