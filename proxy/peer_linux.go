package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// tellsPeers says that the users of connections on this machine can be told.
const tellsPeers = true

// canTellPeer reports whether the uid at the other end can be looked up: it is
// on this machine.
func canTellPeer(local, remote net.Addr) bool {
	if _, ok := local.(*net.UnixAddr); ok {
		return true
	}
	_, ok := remote.(*net.TCPAddr)
	return ok && isThisMachine(addrPort(remote).Addr().WithZone(""))
}

// peerUID returns the user at the other end of a connection that canTellPeer
// is true of, which has connected to an address: ours, unless it was redirected here.
func peerUID(conn net.Conn, to net.Addr) (uid uint32, err error) {
	if local, ok := conn.(*net.UnixConn); ok {
		uid, err = unixPeerUID(local)
	} else {
		uid, err = tcpPeerUID(conn.RemoteAddr(), to)
		if err == nil {
			err = stillConnected(conn)
		}
	}
	if err == nil && uid == unmappedUID() {
		err = fmt.Errorf("uid %d stands for every user that this user namespace does not know", uid)
	}
	return uid, err
}

// nobody is no user's uid: uid_t's -1.
const nobody = ^uint32(0)

// unmappedUID is the uid that the kernel reports for users without one in our
// user namespace (user_namespaces(7)), many at once; nobody where all have one.
var unmappedUID = sync.OnceValue(func() uint32 {
	uidMap, err := os.ReadFile("/proc/self/uid_map")
	if err == nil && mapsAll(string(uidMap)) {
		return nobody
	}
	text, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if uid, parseErr := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err == nil && parseErr == nil {
		return uint32(uid)
	}
	return 65534 // the kernel's default
})

// mapsAll reports whether a uid_map has all 2³²-1 users, as outside of any
// namespace. Its lines are the first uid inside, the first outside, and how many.
func mapsAll(uidMap string) bool {
	total := uint64(0)
	for line := range strings.Lines(uidMap) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return false
		}
		n, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			return false
		}
		total += n
	}
	return total == 1<<32-1
}

// unixPeerUID is who connected the socket: SO_PEERCRED in socket(7).
func unixPeerUID(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var credErr error
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); credErr == nil {
			uid = cred.Uid
		}
	})
	return uid, errors.Join(err, credErr)
}

// tcpPeerUID asks the kernel who owns the socket at the other end of a loopback
// connection: sock_diag(7), for exactly that socket. Address and state of the
// answer are checked, because the kernel takes a listener for an answer too, and
// reports a socket that its process has closed as root's.
func tcpPeerUID(remote, local net.Addr) (uint32, error) {
	peer, here := addrPort(remote), addrPort(local) // as the peer sees it: it is the source
	uid, err := diagnose(unix.AF_INET, peer, here)
	if peer.Addr().Is6() || errors.Is(err, unix.ENOENT) {
		// A dual-stack client uses an IPv6 socket for an IPv4 address.
		uid, err = diagnose(unix.AF_INET6, peer, here)
	}
	if err != nil {
		return 0, fmt.Errorf("look up the peer's socket: %w", err)
	}
	return uid, nil
}

// stillConnected returns an error if our end of a TCP connection was reset: then the
// peer's address and port may have been somebody else's when the kernel was asked,
// while what the peer had sent can still be read. As long as our end is there, nobody
// else can connect from them (RFC 9293, section 3.4.1).
func stillConnected(conn net.Conn) error {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a %T is no TCP connection", conn)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var info *unix.TCPInfo
	var infoErr error
	err = raw.Control(func(fd uintptr) { info, infoErr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err := errors.Join(err, infoErr); err != nil {
		return err
	}
	if info.State != tcpEstablished && info.State != tcpCloseWait {
		return errors.New("its process has closed it")
	}
	return nil
}

func addrPort(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Sizes and offsets of linux/inet_diag.h and linux/netlink.h.
const (
	netlinkHeader = 16
	diagRequest   = 56 // struct inet_diag_req_v2
	diagSockID    = 48 // struct inet_diag_sockid
	diagMessage   = 72 // struct inet_diag_msg

	sockDiagByFamily = 20
	tcpEstablished   = 1
	tcpFinWait1      = 4
	tcpFinWait2      = 5
	tcpCloseWait     = 8
)

// diagnose returns the uid of the TCP socket from source to destination.
func diagnose(family uint8, source, destination netip.AddrPort) (uint32, error) {
	answer, err := exchangeDiag(family, sockID(family, source, destination))
	if err != nil {
		return 0, err
	}
	state, inode := answer[1], binary.NativeEndian.Uint32(answer[68:])
	asked := sockID(answer[0], source, destination) // in the form of the socket's own family
	switch {
	// The interface and the cookie, at the end, are the kernel's to fill in.
	case string(answer[4:40]) != string(asked[:36]):
		return 0, errors.New("the kernel answered for another socket")
	case state != tcpEstablished && state != tcpFinWait1 && state != tcpFinWait2, inode == 0:
		return 0, errors.New("its process has closed it")
	}
	return binary.NativeEndian.Uint32(answer[64:]), nil
}

// sockID is a struct inet_diag_sockid: ports and addresses in network order.
func sockID(family uint8, source, destination netip.AddrPort) (id [diagSockID]byte) {
	binary.BigEndian.PutUint16(id[0:], source.Port())
	binary.BigEndian.PutUint16(id[2:], destination.Port())
	if family == unix.AF_INET {
		copy(id[4:20], source.Addr().AsSlice())
		copy(id[20:36], destination.Addr().AsSlice())
	} else {
		from, to := source.Addr().As16(), destination.Addr().As16()
		copy(id[4:20], from[:])
		copy(id[20:36], to[:])
	}
	for i := 40; i < 48; i++ {
		id[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	return id
}

// exchangeDiag asks for one socket and returns its struct inet_diag_msg.
func exchangeDiag(family uint8, id [diagSockID]byte) ([]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}); err != nil {
		return nil, err
	}
	request := make([]byte, netlinkHeader+diagRequest)
	binary.NativeEndian.PutUint32(request[0:], uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST) // and no NLM_F_DUMP: one socket
	request[16], request[17] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[20:], ^uint32(0)) // in any state
	copy(request[24:], id[:])
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	buf := make([]byte, 512) // more than a message and its attributes; of the rest nothing is read
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return nil, err
	}
	return diagAnswer(buf[:n])
}

// diagAnswer takes the first message of an answer apart.
func diagAnswer(buf []byte) ([]byte, error) {
	if len(buf) < netlinkHeader+4 {
		return nil, errors.New("a short answer from the kernel")
	}
	switch kind := binary.NativeEndian.Uint16(buf[4:]); {
	case kind == unix.NLMSG_ERROR:
		return nil, unix.Errno(-int32(binary.NativeEndian.Uint32(buf[netlinkHeader:])))
	case kind != sockDiagByFamily || len(buf) < netlinkHeader+diagMessage:
		return nil, fmt.Errorf("an answer of type %d from the kernel", kind)
	}
	return buf[netlinkHeader : netlinkHeader+diagMessage], nil
}
