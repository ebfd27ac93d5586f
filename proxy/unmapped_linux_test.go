package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ghapp-proxy/policy"
)

// TestUnmappedUsers: in a user namespace those whom it does not know all look
// like one user, whom a listener may be for. The test is three processes: the
// proxy in a namespace that knows root alone, and outside of it root and another.
func TestUnmappedUsers(t *testing.T) {
	const role = "GHAPP_PROXY_TEST_UNMAPPED"
	switch value := os.Getenv(role); {
	case value == "proxy":
		ln, _ := ownListener(t, "tcp", "127.0.0.1:0", "agent")
		start(t, func(s *setup) {
			s.own = append(s.own, ln)
			s.options.Clients = clients(t, &policy.Client{Name: "agent", Listen: "127.0.0.1:1", UIDs: []uint32{0, unprivileged}})
		})
		fmt.Println("LISTENS", ln.Addr())
		io.Copy(io.Discard, os.Stdin) // until the other side has tried
		return
	case value != "":
		conn, err := net.Dial("tcp", value)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Println("ANSWER", askAs(conn))
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	process := func(value string, attr *syscall.SysProcAttr) *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestUnmappedUsers$", "-test.v")
		cmd.Env, cmd.Dir, cmd.Stderr, cmd.SysProcAttr = append(os.Environ(), role+"="+value), "/", os.Stderr, attr
		return cmd
	}
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	server := process("proxy", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one})
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("no user namespaces: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer stdin.Close()
	address := ""
	for lines := bufio.NewScanner(stdout); address == "" && lines.Scan(); {
		_, address, _ = strings.Cut(lines.Text(), "LISTENS ")
	}
	go io.Copy(io.Discard, stdout)
	for uid, want := range map[uint32]string{0: "ANSWER 200", 1234: "uid 65534 stands for every user that this user namespace does not know"} {
		out, err := process(address, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("uid %d: %v, %s, want %q", uid, err, out, want)
		}
	}
}
