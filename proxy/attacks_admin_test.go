package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// TestAttackAdmin: another listener of the proxy's process, which says what it does for
// whom, by every name and address, where the egress policy allows that, and where there
// is none. On all interfaces it is met by each of the machine's addresses.
func TestAttackAdmin(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		s := startSink(t, listen)
		_, port, _ := net.SplitHostPort(s.addr)
		for _, policy := range []*policy.Egress{nil, egress(t, false, "127.0.0.0/8:"+port+" [::1]:"+port+" [::]:"+port+" 0.0.0.0:"+port+" localhost:"+port+" x.localhost:"+port, "")} {
			w := adminWorld(t, s.addr, policy, nil)
			for _, host := range ownNames(t) {
				for _, what := range []string{"a tunnel", "http"} {
					if got := w.tryAdmin(t, what, host+":"+port); got == "200" {
						t.Fatalf("%s to %s:%s, which listens on %s: %s", what, host, port, listen, got)
					}
				}
			}
		}
		if got := s.all(); len(got) > 0 {
			t.Errorf("%d connections arrived at %s: %q", len(got), s.addr, got)
		}
	}
}

// TestAttackAdminThroughNext: another proxy on the same machine would connect to it.
func TestAttackAdminThroughNext(t *testing.T) {
	var asked atomic.Int64
	next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, "everything")
	}))
	defer next.Close()
	at, err := url.Parse(next.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := startSink(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(s.addr)
	w := adminWorld(t, s.addr, nil, &proxy.NextProxy{URL: at, Name: "upstream.proxy"})
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST.", "x.localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		for _, what := range []string{"a tunnel", "http"} {
			if got := w.tryAdmin(t, what, host+":"+port); got == "200" {
				t.Errorf("%s to %s:%s: %s", what, host, port, got)
			}
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the next proxy was asked %d times", n)
	}
	if got := w.tryAdmin(t, "http", "127.0.0.1:80"); got != "200" || asked.Load() == 0 {
		t.Errorf("another port: %s, want 200 of the next proxy", got)
	}
}

// adminWorld is a proxy beside a listener that it must not reach.
func adminWorld(t *testing.T, addr string, policy *policy.Egress, next *proxy.NextProxy) *world {
	return start(t, func(set *setup) {
		set.upstream.Egress = policy
		if next != nil {
			set.upstream.Proxy = func(*url.URL) *proxy.NextProxy { return next }
		}
		set.forbid = append(set.forbid, addr)
	})
}

// ownNames are names and addresses of this machine.
func ownNames(t *testing.T) []string {
	hosts := []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]",
		"127.1", "0x7f.0.0.1", "2130706433", "127.0.0.1.", "[::1%25lo]", "x.localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback",
	}
	if hasLocalhost(t) {
		hosts = append(hosts, "localhost", "LOCALHOST", "localhost.")
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ipnet, ok := addr.(*net.IPNet); ok {
			host, _, _ := net.SplitHostPort(net.JoinHostPort(ipnet.IP.String(), "1"))
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// tryAdmin tries to get somewhere, and returns the status.
func (w *world) tryAdmin(t *testing.T, what, to string) string {
	if what == "a tunnel" {
		conn, resp := w.connect(t, to)
		conn.Close()
		return fmt.Sprint(resp.StatusCode)
	}
	conn := w.dial(t)
	defer conn.Close()
	answer := w.answerOf(t, conn, "GET http://"+to+"/metrics HTTP/1.1\r\nHost: "+to+"\r\nConnection: close\r\n\r\n")
	return answer[:min(3, len(answer))]
}
