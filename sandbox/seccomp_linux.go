package sandbox

import (
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where struct seccomp_data has what a filter reads (linux/seccomp.h), on machines whose octets have Linux's usual order.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// lowWord is the offset of the lower half of an argument: all that the kernel reads of the
// flags and commands that are compared here.
func lowWord(arg uint32) uint32 { return offsetArgs + 8*arg }

// refused are the system calls that answer EPERM: ways into other namespaces and mounts, into
// the kernel, to keys that are kept there, and to the machine's clock.
var refused = []uint32{
	unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, sysOpenTreeAttr,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KCMP, unix.SYS_SYSLOG, unix.SYS_ACCT,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_VHANGUP,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
}

// absent are those that answer ENOSYS, upon which programs do without: io_uring makes others that no
// filter sees, and of clone3 none sees the flags.
var absent = []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_CLONE3}

// sysOpenTreeAttr is open_tree_attr, new in Linux 6.15.
const sysOpenTreeAttr = 467

const cloneNew = unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// What a filter answers.
var (
	allow      = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	notAllowed = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	notThere   = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	noFamily   = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)}
)

// filter is the program. Sockets are of the families that are listed; of netlink, which tells
// about the sandbox's own network, there is that part alone.
func filter(arch uint32) []bpf.Instruction {
	load := func(offset uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offset, Size: 4} }
	unless := func(cond bpf.JumpTest, val uint32, skip uint8) bpf.Instruction {
		return bpf.JumpIf{Cond: cond, Val: val, SkipFalse: skip}
	}
	program := []bpf.Instruction{
		load(offsetArch), bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1}, notThere, // programs for another ABI have other numbers
		load(offsetNumber),
	}
	if arch == unix.AUDIT_ARCH_X86_64 {
		program = append(program, unless(bpf.JumpGreaterOrEqual, 1<<30, 1), notThere) // x32
	}
	for _, number := range refused {
		program = append(program, unless(bpf.JumpEqual, number, 1), notAllowed)
	}
	for _, number := range absent {
		program = append(program, unless(bpf.JumpEqual, number, 1), notThere)
	}
	return append(program,
		unless(bpf.JumpEqual, unix.SYS_CLONE, 4), // Linux's order of arguments on amd64 and arm64: the flags are the first
		load(lowWord(0)), unless(bpf.JumpBitsSet, cloneNew, 1), notAllowed, allow,

		unless(bpf.JumpEqual, unix.SYS_IOCTL, 5),
		load(lowWord(1)),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCSTI, SkipTrue: 1}, // what is typed for the shell outside
		unless(bpf.JumpEqual, unix.TIOCLINUX, 1), notAllowed, allow,

		unless(bpf.JumpEqual, unix.SYS_SOCKETPAIR, 4),
		load(lowWord(0)), unless(bpf.JumpNotEqual, unix.AF_UNIX, 1), noFamily, allow,

		unless(bpf.JumpEqual, unix.SYS_SOCKET, 12),
		load(lowWord(0)),
		unless(bpf.JumpEqual, unix.AF_UNIX, 1), allow,
		unless(bpf.JumpEqual, unix.AF_INET, 1), allow,
		unless(bpf.JumpEqual, unix.AF_INET6, 1), allow,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_NETLINK, SkipTrue: 1}, noFamily,
		load(lowWord(2)), unless(bpf.JumpNotEqual, unix.NETLINK_ROUTE, 1), noFamily,
		allow,
	)
}

// arches are the names that the kernel's filters have for the machines that are known here.
var arches = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filterSyscalls puts the filter on this thread and its children.
func filterSyscalls() error {
	arch, ok := arches[runtime.GOARCH]
	if !ok {
		return &Error{Doing: "set a seccomp filter", Err: unix.ENOTSUP, Remedy: "there is one for amd64 and arm64; elsewhere give the command a container of its own (docs/sandbox.md, Docker)"}
	}
	raw, err := bpf.Assemble(filter(arch))
	if err != nil {
		return err
	}
	instructions := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		instructions[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.SockFprog{Len: uint16(len(instructions)), Filter: &instructions[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return errno
	}
	return nil
}
