package transparent

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// originalDst is SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and IP6T_SO_ORIGINAL_DST.
const originalDst = 80

// original is where a connection was to lead before nftables or iptables redirected it here. It fails for one that
// they did not.
func original(conn net.Conn) (to netip.AddrPort, ok bool) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return to, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return to, false
	}
	ok = false
	raw.Control(func(fd uintptr) {
		if a, err := unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, originalDst); err == nil { // which is as large as a struct sockaddr_in
			sa := a.Multiaddr
			to, ok = netip.AddrPortFrom(netip.AddrFrom4([4]byte(sa[4:8])), binary.BigEndian.Uint16(sa[2:4])), true
			return
		}
		if a, err := unix.GetsockoptIPv6MTUInfo(int(fd), unix.SOL_IPV6, originalDst); err == nil { // it begins with a struct sockaddr_in6
			port := (*[2]byte)(unsafe.Pointer(&a.Addr.Port))
			to, ok = netip.AddrPortFrom(netip.AddrFrom16(a.Addr.Addr), binary.BigEndian.Uint16(port[:])), true
		}
	})
	return unmap(to), ok
}
