package sandbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// loopbackUp is "ip link set lo up", and has it take all that is sent to some networks.
func loopbackUp(local []netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return err
	}
	for _, network := range local {
		if err := addLocal(network); err != nil {
			return fmt.Errorf("add %s: %w", network, err)
		}
	}
	return nil
}

// addLocal is "ip address add FIRST/BITS dev lo", after which IPv4 takes the whole network for its own. IPv6 takes
// the address alone, and is told the rest by "ip route add local NETWORK dev lo". The first address is the one
// after the network's own: RFC 4291 has that for routers.
func addLocal(network netip.Prefix) error {
	first := network.Masked().Addr().Next()
	family, bits := uint8(unix.AF_INET), uint8(network.Bits())
	if first.Is6() {
		family, bits = unix.AF_INET6, 128
	}
	index := make([]byte, 4)
	binary.NativeEndian.PutUint32(index, 1) // lo is the first interface of its namespace
	address := unix.IfAddrmsg{Family: family, Prefixlen: bits, Scope: unix.RT_SCOPE_HOST, Index: 1}
	if err := netlink(unix.RTM_NEWADDR, address, attribute(unix.IFA_LOCAL, first.AsSlice()), attribute(unix.IFA_ADDRESS, first.AsSlice())); err != nil {
		return err
	}
	if family == unix.AF_INET {
		return nil
	}
	route := unix.RtMsg{Family: family, Dst_len: uint8(network.Bits()), Table: unix.RT_TABLE_LOCAL, Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_LOCAL}
	return netlink(unix.RTM_NEWROUTE, route, attribute(unix.RTA_DST, network.Masked().Addr().AsSlice()), attribute(unix.RTA_OIF, index))
}

// attribute is one of rtnetlink(7).
func attribute(kind uint16, value []byte) []byte {
	text := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	return append(binary.NativeEndian.AppendUint16(text, kind), value...) // addresses and indexes need no padding
}

// netlink sends the kernel a request, and hears what became of it.
func netlink(kind uint16, body any, attributes ...[]byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	payload, err := binary.Append(nil, binary.NativeEndian, body)
	if err != nil {
		return err
	}
	for _, a := range attributes {
		payload = append(payload, a...)
	}
	header := unix.NlMsghdr{Len: uint32(unix.SizeofNlMsghdr + len(payload)), Type: kind, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | unix.NLM_F_CREATE}
	message, err := binary.Append(nil, binary.NativeEndian, header)
	if err != nil {
		return err
	}
	if err := unix.Sendto(fd, append(message, payload...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return unix.EBADMSG
	}
	if errno := -int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

// openListeners listens on what the options say.
func openListeners(opts Options) (files []*os.File, err error) {
	var how net.ListenConfig
	for _, address := range opts.Listen {
		ln, err := how.Listen(context.Background(), "tcp", address)
		if err != nil {
			return files, err
		}
		f, err := ln.(*net.TCPListener).File() // a copy
		ln.Close()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	for _, address := range opts.Packets {
		conn, err := how.ListenPacket(context.Background(), "udp", address)
		if err != nil {
			return files, err
		}
		f, err := conn.(*net.UDPConn).File()
		conn.Close()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}
