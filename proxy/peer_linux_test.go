package proxy_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ghapp-proxy/proxy"
)

// TestOtherUser is both sides: as root it starts itself as another user, which
// tries to use root's proxy.
func TestOtherUser(t *testing.T) {
	if addr := os.Getenv("GHAPP_PROXY_TEST_ADDR"); addr != "" {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ANSWER", resp.Status)
		return
	}
	for _, sameUser := range []bool{true, false} {
		w := start(t, func(s *setup) { s.options.Admission = proxy.Admission{SameUser: sameUser} })
		if status, _ := get(t, w.client(t, false), "https://api.github.com/app"); status != 200 {
			t.Errorf("the same user is answered %d", status)
		}
		if os.Getuid() != 0 {
			t.Skip("only root can become another user")
		}
		other := exec.Command("/proc/self/exe", "-test.run=^TestOtherUser$", "-test.v")
		other.Env = append(os.Environ(), "GHAPP_PROXY_TEST_ADDR="+w.addr)
		other.Dir = "/"
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := other.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		want := "ANSWER 200"
		if sameUser {
			want = "ANSWER 403 ghapp-proxy: uid 65534 may not use the proxy of uid 0; "
		}
		if !strings.Contains(string(out), want) {
			t.Errorf("SameUser %v: got %s, want %q", sameUser, out, want)
		}
	}
}
