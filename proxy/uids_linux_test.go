package proxy_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ghapp-proxy/policy"
)

const unprivileged = 65534

// TestOwnListenerUIDs is both sides: as root it starts itself as another user,
// which tries the listeners of clients.
func TestOwnListenerUIDs(t *testing.T) {
	if listeners := os.Getenv("GHAPP_PROXY_TEST_LISTENERS"); listeners != "" {
		for _, at := range strings.Fields(listeners) {
			name, address, _ := strings.Cut(at, "=")
			network, address, _ := strings.Cut(address, ":")
			conn, err := net.Dial(network, address)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("ANSWER", name, askAs(conn))
			conn.Close()
		}
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir, err := os.MkdirTemp("", "sockets")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var at []string
	start(t, func(s *setup) {
		var list []*policy.Client
		for _, c := range []policy.Client{
			{Name: "unix-own"}, {Name: "unix-theirs", UIDs: []uint32{unprivileged}}, {Name: "unix-both", UIDs: []uint32{0, unprivileged}}, {Name: "unix-another", UIDs: []uint32{1234}},
			{Name: "tcp-own"}, {Name: "tcp-theirs", UIDs: []uint32{unprivileged}},
		} {
			network, address := "tcp", "127.0.0.1:0"
			if strings.HasPrefix(c.Name, "unix") {
				network, address = "unix", filepath.Join(dir, c.Name)
			}
			ln, _ := ownListener(t, network, address, c.Name)
			if network == "unix" {
				if err := os.Chmod(address, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			c.Listen = address + c.Name
			s.own = append(s.own, ln)
			list = append(list, &c)
			at = append(at, c.Name+"="+network+":"+ln.Addr().String())
		}
		s.options.Clients = clients(t, list...)
	})
	for uid, allowed := range map[uint32]string{0: "unix-own unix-both tcp-own", unprivileged: "unix-theirs unix-both tcp-theirs"} {
		child := exec.Command("/proc/self/exe", "-test.run=^TestOwnListenerUIDs$", "-test.v")
		child.Env = append(os.Environ(), "GHAPP_PROXY_TEST_LISTENERS="+strings.Join(at, " "))
		child.Dir = "/"
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, entry := range at {
			name, _, _ := strings.Cut(entry, "=")
			want := fmt.Sprintf("ANSWER %s 403 Forbidden {\"message\":\"ghapp-proxy: uid %d may not use the listener of client %s; name the user or the network in client.%s.uids or .networks\"", name, uid, name, name)
			if strings.Contains(allowed, name) {
				want = "ANSWER " + name + " 200"
			}
			if !strings.Contains(string(out), want) {
				t.Errorf("uid %d: there is no %q in\n%s", uid, want, out)
			}
		}
	}
}
