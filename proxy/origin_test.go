package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// sayTo sends a head to an address and returns the answer.
func sayTo(t *testing.T, network, address, head string) *http.Response {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(conn, head+"\r\nUser-Agent: test\r\n\r\n")
	return readHead(t, bufio.NewReader(conn))
}

// TestOriginForm: at a client's own Unix socket a request in origin form is one to the
// host that it names, within the limits of the client; everywhere else it is for the
// proxy itself.
func TestOriginForm(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	var tcp string
	w := start(t, func(s *setup) {
		s.options.PlainHTTP = false // of which a socket is independent
		at, _ := ownListener(t, "unix", socket, "agent")
		plain, _ := ownListener(t, "tcp", "127.0.0.1:0", "agent")
		tcp = plain.Addr().String()
		s.own = []*proxy.Listener{at, plain}
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Listen: "unix:" + socket, ReadOnly: true, Hosts: []string{"api.github.com", "uploads.github.com"}, Networks: loopback})
	})
	for _, test := range []struct {
		head   string
		status int
		want   string // "" for GitHub's answer
	}{
		{"GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com", 200, ""},
		{"GET /repos/acme/widgets HTTP/1.1\r\nHost: API.GitHub.com.:443\r\nAuthorization: token ghs_placeholder", 200, ""},
		{"GET /repos/acme/widgets?u=https://a/b HTTP/1.1\r\nHost: api.github.com", 200, ""},
		{"DELETE /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com", 403, "client agent may only read"},
		{"GET /ca.pem HTTP/1.1\r\nHost: api.github.com", 404, ""},
		{"GET /acme/widgets HTTP/1.1\r\nHost: github.com", 403, "client.agent.hosts"},
		{"GET / HTTP/1.1\r\nHost: objects.githubusercontent.com", 421, "use the proxy for it"},
		{"GET / HTTP/1.1\r\nHost: api.github.com.evil.example.com", 421, "use the proxy for it"},
		{"GET / HTTP/1.1\r\nHost: api.github.com:80", 403, "use 443"},
		{"GET / HTTP/1.1\r\nHost: api.github.com:8443", 403, "use 443"},
		{"GET / HTTP/1.1\r\nHost: api.github.\u212aom", 400, ""},
		{"GET / HTTP/1.1\r\nHost: api.github.com\r\nHost: github.com", 400, "could not be read"},
		{"GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nConnection: Upgrade\r\nUpgrade: websocket", 501, "WebSocket"},
		{"OPTIONS * HTTP/1.1\r\nHost: api.github.com", 400, "ghapp-proxy"},
		{"GET / HTTP/1.1\r\nHost: localhost", 404, "the address of a proxy"},
		{"GET / HTTP/1.0", 404, "the address of a proxy"},
		{"GET http://api.github.com/repos/acme/widgets HTTP/1.1\r\nHost: api.github.com", 403, "over http:// are not served"},
	} {
		t.Run(test.head, func(t *testing.T) {
			w.github.Reset()
			resp := sayTo(t, "unix", socket, test.head)
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.status || !strings.Contains(string(text), test.want) {
				t.Errorf("%s %s, want %d %q", resp.Status, text, test.status, test.want)
			}
			own := strings.HasPrefix(resp.Header.Get("Proxy-Status"), "ghapp-proxy; error")
			if arrived := len(w.github.Requests()) > 0; arrived == own {
				t.Errorf("%s: the answer is our own: %v; something arrived: %v", resp.Status, own, arrived)
			}
			if test.status == 200 {
				if got := lastOfClient(t, w.github.Requests()); got.Credential != githubtest.CredentialInstallation || got.Host != "api.github.com" {
					t.Errorf("%v arrived with %s", got, got.Credential)
				}
			}
		})
	}
	if got := sayTo(t, "unix", socket, "GET /ca.pem HTTP/1.1\r\nHost: localhost"); got.StatusCode != 200 {
		t.Errorf("the certificate at the socket: %s", got.Status)
	}
	for name, address := range map[string]string{"the proxy's": w.addr, "a client's own": tcp} {
		refused(t, sayTo(t, "tcp", address, "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com"), 404, "the address of a proxy")
		t.Log(name)
	}
}
