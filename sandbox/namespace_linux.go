package sandbox

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

const remedyKernel = "it needs Linux 5.12 or newer"

// cannotClone is why there are no namespaces, and what to do.
func cannotClone(err error) error {
	e := &Error{Doing: "make namespaces", Err: err}
	switch {
	case errors.Is(err, syscall.EPERM):
		e.Remedy = namespacesRemedy()
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EUSERS):
		e.Remedy = "the bound is reached: raise user.max_user_namespaces, and the other user.max_…_namespaces (sysctl), or end other sandboxes"
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSYS):
		e.Remedy = "this kernel was built without user namespaces"
	}
	return e
}

// namespacesRemedy says how this machine lets its users make namespaces.
func namespacesRemedy() string {
	switch {
	case Inside():
		return ErrInside.Error()
	case inContainer():
		return "this container may not: start it with --privileged, or, without: --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined; or give the command a container of its own (docs/sandbox.md, Docker)"
	case sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor forbids it, as Ubuntu has it since 24.04: install the profile that docs/sandbox.md has, or run sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case sysctl("kernel/unprivileged_userns_clone") == "0":
		return "run sysctl kernel.unprivileged_userns_clone=1 as root"
	}
	return "a security module or a seccomp filter forbids it: run it as root, or give the command a container of its own (docs/sandbox.md, Docker)"
}

func sysctl(name string) string {
	text, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// inContainer reports whether Docker, Podman, systemd-nspawn or Kubernetes say that this is one.
func inContainer() bool {
	for _, path := range []string{"/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/var/run/secrets/kubernetes.io"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// Inside reports whether this process is the command of a sandbox.
func Inside() bool {
	_, err := os.Stat(SharedDir + "/" + markName)
	return err == nil
}

// markName is the file by which a command knows that it is in a sandbox.
const markName = "sandbox"

// mapUser gives this process the ids inside that it has outside: the only ones that
// whoever has no privilege may give, once it has renounced setgroups (user_namespaces(7)).
func mapUser(uid, gid string) error {
	for _, line := range [][2]string{{"setgroups", "deny"}, {"uid_map", uid + " " + uid + " 1"}, {"gid_map", gid + " " + gid + " 1"}} {
		if err := os.WriteFile("/proc/self/"+line[0], []byte(line[1]), 0); err != nil {
			// AppArmor of Ubuntu 24.04 lets the namespace be made and takes its capabilities.
			return &Error{Doing: "be a user in the namespace", Err: err, Remedy: namespacesRemedy()}
		}
	}
	return nil
}
