package sandbox

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// verdict is what the filter answers to a system call of a machine. bpf.VM reads in the order of networks, so each
// word is written in that.
func verdict(t *testing.T, vm *bpf.VM, arch, number uint32, args ...uint64) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data, number)
	binary.BigEndian.PutUint32(data[4:], arch)
	for i, arg := range args {
		binary.BigEndian.PutUint32(data[16+8*i:], uint32(arg))
		binary.BigEndian.PutUint32(data[20+8*i:], uint32(arg>>32))
	}
	answer, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(answer)
}

// The filter refuses each of these by itself, also where the kernel would for other reasons.
func TestFilter(t *testing.T) {
	const arch = unix.AUDIT_ARCH_X86_64
	vm, err := bpf.NewVM(filter(arch))
	if err != nil {
		t.Fatal(err)
	}
	for want, numbers := range map[unix.Errno][]uint32{
		unix.EPERM: {
			unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, 467,
			unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT,
			unix.SYS_FANOTIFY_INIT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN,
			unix.SYS_USERFAULTFD, unix.SYS_KCMP, unix.SYS_SYSLOG, unix.SYS_ACCT, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD,
			unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_VHANGUP, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
			unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
		},
		unix.ENOSYS: {unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_CLONE3, 1<<30 | unix.SYS_READ},
	} {
		for _, number := range numbers {
			if got := verdict(t, vm, arch, number); got != unix.SECCOMP_RET_ERRNO|uint32(want) {
				t.Errorf("system call %#x: %#x, want %v", number, got, want)
			}
		}
	}
	const (
		fine   = unix.SECCOMP_RET_ALLOW
		denied = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		family = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
		absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		high   = 1 << 33 // which the kernel does not read
	)
	for _, tt := range []struct {
		what   string
		arch   uint32
		number uint32
		args   []uint64
		want   uint32
	}{
		{"read", arch, unix.SYS_READ, nil, fine},
		{"execve", arch, unix.SYS_EXECVE, nil, fine},
		{"read, of another ABI", unix.AUDIT_ARCH_I386, unix.SYS_READ, nil, absent},
		{"read, of another machine", unix.AUDIT_ARCH_AARCH64, unix.SYS_READ, nil, absent},
		{"fork", arch, unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, fine},
		{"a thread", arch, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SETTLS}, fine},
		{"clone, user", arch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER}, denied},
		{"clone, network", arch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWNET | high}, denied},
		{"clone, mounts", arch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWNS | unix.CLONE_VM}, denied},
		{"clone, PIDs", arch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWPID}, denied},
		{"clone, IPC", arch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWIPC}, denied},
		{"clone, name", arch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWUTS}, denied},
		{"clone, cgroups", arch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWCGROUP}, denied},
		{"TCGETS", arch, unix.SYS_IOCTL, []uint64{0, unix.TCGETS}, fine},
		{"TIOCSTI", arch, unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, denied},
		{"TIOCSTI and more", arch, unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI | high}, denied},
		{"TIOCLINUX", arch, unix.SYS_IOCTL, []uint64{0, unix.TIOCLINUX}, denied},
		{"a pair of Unix sockets", arch, unix.SYS_SOCKETPAIR, []uint64{unix.AF_UNIX}, fine},
		{"a pair of IP", arch, unix.SYS_SOCKETPAIR, []uint64{unix.AF_INET}, family},
		{"a route socket", arch, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, fine},
		{"netfilter", arch, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER}, family},
	} {
		if got := verdict(t, vm, tt.arch, tt.number, tt.args...); got != tt.want {
			t.Errorf("%s: %#x, want %#x", tt.what, got, tt.want)
		}
	}
	for number := range uint64(64) { // families; linux/socket.h has 46
		want := uint32(family)
		switch number {
		case unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK: // which is route by default
			want = fine
		}
		for _, bits := range []uint64{0, high} {
			if got := verdict(t, vm, arch, unix.SYS_SOCKET, number|bits); got != want {
				t.Errorf("a socket of family %#x: %#x, want %#x", number|bits, got, want)
			}
		}
	}
}
