package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/proxy"
)

func readFull(r io.Reader, p []byte) (int, error) { return io.ReadFull(r, p) }

// get fetches a URL and returns the status and the body.
func get(t testing.TB, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return resp.StatusCode, string(body)
}

func TestCredentials(t *testing.T) {
	needGit(t)
	w := start(t, nil)
	for _, h2 := range []bool{false, true} {
		client := w.client(t, h2)
		for _, test := range []struct {
			url          string
			status       int
			kind         githubtest.CredentialKind
			app          int64
			installation int64
		}{
			{"https://api.github.com/app", 200, githubtest.CredentialJWT, 12345, 0},
			{"https://api.github.com/repos/globex/tools/installation", 200, githubtest.CredentialJWT, 67890, 0},
			{"https://api.github.com/repos/acme/widgets", 200, githubtest.CredentialInstallation, 12345, 111},
			{"https://api.github.com/repos/ACME/Widgets/issues?per_page=1", 200, githubtest.CredentialInstallation, 12345, 111},
			{"https://api.github.com/repos/globex/tools", 200, githubtest.CredentialInstallation, 67890, 222},
			{"https://api.github.com/repos/initech/paper", 200, githubtest.CredentialInstallation, 12345, 333},
			{"https://api.github.com/repos/octocat/hello-world", 200, githubtest.CredentialNone, 0, 0},
			{"https://raw.githubusercontent.com/acme/widgets/main/README.md", 200, githubtest.CredentialInstallation, 12345, 111},
			{"https://codeload.github.com/acme/widgets/tar.gz/main", 200, githubtest.CredentialInstallation, 12345, 111},
			{"https://github.com/acme/widgets.git/info/refs?service=git-upload-pack", 200, githubtest.CredentialBasicToken, 12345, 111},
			{"http://api.github.com/repos/acme/widgets", 200, githubtest.CredentialInstallation, 12345, 111},
		} {
			status, body := get(t, client, test.url)
			path := test.url[strings.Index(test.url[8:], "/")+8:]
			path, _, _ = strings.Cut(path, "?")
			got := w.last(t, path)
			if status != test.status || got.Credential != test.kind || got.App != test.app || got.Installation != test.installation {
				t.Errorf("GET %s (h2 %v): status %d with %s of App %d, installation %d; want %d with %s of %d, %d\n%s", test.url, h2,
					status, got.Credential, got.App, got.Installation, test.status, test.kind, test.app, test.installation, body)
			}
		}
	}
}

// One token does for all that is asked of an installation, in whatever form.
func TestOneTokenForAll(t *testing.T) {
	needGit(t)
	w := start(t, nil)
	client := w.client(t, true)
	for _, url := range []string{
		"https://api.github.com/repos/acme/widgets",
		"https://raw.githubusercontent.com/acme/widgets/main/README.md",
		"https://codeload.github.com/acme/widgets/tar.gz/main",
		"https://github.com/acme/rockets.git/info/refs?service=git-upload-pack",
	} {
		if status, body := get(t, client, url); status != 200 {
			t.Errorf("GET %s: %d %.200s", url, status, body)
		}
	}
	if status, body := post(t, client, "https://api.github.com/graphql", `{"query":"{ organization(login: \"acme\") { login } }"}`); status != 200 {
		t.Errorf("GraphQL: %d %s", status, body)
	}
	if n := w.github.Mints(); n != 1 {
		t.Errorf("%d mints, want 1", n)
	}
}

// The client secret goes where the path has its client id, and nowhere else.
func TestClientSecret(t *testing.T) {
	w := start(t, func(s *setup) {
		fake := s.github.App("ci-bot")
		s.apps[0].ClientID, s.apps[0].ClientSecret = fake.ClientID, auth.Secret(fake.ClientSecret)
	})
	for path, want := range map[string]githubtest.CredentialKind{
		"/applications/" + githubtest.CIBotClientID + "/token":                             githubtest.CredentialBasicClient,
		"/applications/" + githubtest.CIBotClientID + "/grant":                             githubtest.CredentialBasicClient,
		"/repos/acme/widgets/contents/applications/" + githubtest.CIBotClientID + "/token": githubtest.CredentialInstallation,
		"/applications/" + githubtest.ReleaseBotClientID + "/token":                        "", // does not leave
	} {
		w.github.Reset()
		req, err := http.NewRequest("DELETE", "https://api.github.com"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.client(t, false).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			refused(t, resp, 403, "client_secret_file")
			if n := len(w.github.Requests()); n > 0 {
				t.Errorf("DELETE %s: %d requests left", path, n)
			}
			continue
		}
		resp.Body.Close()
		if got := w.last(t, path); got.Credential != want {
			t.Errorf("DELETE %s left with %s, want %s", path, got.Credential, want)
		}
	}
}

// A tool's own credential never reaches a served host.
func TestClientCredentialIsReplaced(t *testing.T) {
	w := start(t, nil)
	for _, path := range []string{"/app", "/repos/acme/widgets", "/repos/octocat/hello-world"} {
		for _, scheme := range []string{"https", "http"} {
			req, err := http.NewRequest("GET", scheme+"://user:pw@api.github.com"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header["Authorization"] = []string{"token CLIENTS-OWN", "Basic CLIENTS-OWN"}
			resp, err := w.client(t, false).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			got := w.last(t, path)
			values := got.Header["Authorization"]
			if strings.Contains(fmt.Sprint(got.Header, got.Target), "CLIENTS-OWN") || strings.Contains(fmt.Sprint(got.Header), "dXNlcjpwdw") || len(values) > 1 {
				t.Errorf("%s %s: %d Authorization fields arrived, from the client: %v", scheme, path, len(values), got)
			}
			if resp.StatusCode != 200 {
				t.Errorf("%s %s: status %d", scheme, path, resp.StatusCode)
			}
		}
	}
}

// refused checks that an answer is one of ours, in GitHub's shape.
func refused(t testing.TB, resp *http.Response, status int, want string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte(githubtest.Canary)) {
		t.Errorf("the answer contains a secret: %q", body)
	}
	text := string(body)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/") {
		var answer struct{ Message string }
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Errorf("not JSON: %q", body)
		}
		text = answer.Message
	}
	if resp.StatusCode != status || !strings.HasPrefix(text, "ghapp-proxy: ") || !strings.Contains(text, want) {
		t.Errorf("answer %d %q, want %d with %q", resp.StatusCode, body, status, want)
	}
	if !strings.HasPrefix(resp.Header.Get("Proxy-Status"), "ghapp-proxy; error=") || resp.Header.Get("X-Github-Request-Id") != "" {
		t.Errorf("the answer is not recognisable as ours: %v", resp.Header)
	}
}

func TestRefusals(t *testing.T) {
	w := start(t, nil)
	client := w.client(t, false)
	for _, test := range []struct {
		method, url string
		status      int
		want        string
		contentType string
	}{
		{"POST", "https://api.github.com/app/installations/111/access_tokens", 403, "hands out a credential", "application/json"},
		{"POST", "https://api.github.com/repos/acme/widgets/actions/runners/registration-token", 403, "hands out a credential", "application/json"},
		{"PATCH", "https://api.github.com/app/hook/config", 403, "jwt_writes", "application/json"},
		{"POST", "https://api.github.com/repos/octocat/hello-world/issues", 403, "no installation on github.com covers octocat/hello-world", "application/json"},
		{"POST", "https://api.github.com/graphql", 403, "default_installation", "application/json"},
		{"GET", "https://api.github.com/orgs/umbrella/repos", 403, "This installation has been suspended", "application/json"},
		{"GET", "https://api.github.com/repos/acme%2Fwidgets/x", 400, "escaped slash", "application/json"},
		{"GET", "https://github.com/octocat/hello-world.git/info/refs?service=git-receive-pack", 403, "no installation", "text/plain"},
		{"GET", "https://github.com/octocat/secret.git/info/refs?service=git-upload-pack", 403, "does not exist or is private", "text/plain"},
		{"POST", "https://github.com/octocat/hello-world.git/info/lfs/locks", 403, "no installation", "application/vnd.git-lfs+json"},
		{"DELETE", "https://api.github.com/applications/Iv1.unknown/token", 403, "client_secret_file", "application/json"},
		{"TRACE", "https://api.github.com/rate_limit", 403, "TRACE", "application/json"},
	} {
		req, err := http.NewRequest(test.method, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.url, err)
			continue
		}
		if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, test.contentType) {
			t.Errorf("%s %s: Content-Type %q, want %q", test.method, test.url, got, test.contentType)
		}
		t.Run(test.method+" "+test.url, func(t *testing.T) { refused(t, resp, test.status, test.want) })
	}
	for _, r := range w.github.Requests() {
		if strings.Contains(r.Target, "registration-token") || r.Method == "DELETE" || strings.Contains(r.Target, "hook") {
			t.Errorf("%v was forwarded", r)
		}
	}
}

// A client that revokes its token does not end everybody's.
func TestRevokeIsNotForwarded(t *testing.T) {
	w := start(t, nil)
	client := w.client(t, false)
	get(t, client, "https://api.github.com/repos/acme/widgets")
	req, err := http.NewRequest("DELETE", "https://api.github.com/installation/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 204 || !strings.Contains(resp.Header.Get("Proxy-Status"), "would revoke") {
		t.Errorf("%s, Proxy-Status: %s, want 204 and why", resp.Status, resp.Header.Get("Proxy-Status"))
	}
	for _, r := range w.github.Requests() {
		if r.Method == "DELETE" {
			t.Errorf("%v was forwarded", r)
		}
	}
	if status, _ := get(t, client, "https://api.github.com/repos/acme/widgets"); status != 200 || w.github.Mints() != 1 {
		t.Errorf("afterwards: %d, with %d mints", status, w.github.Mints())
	}
}

func TestUpgradeIsRefused(t *testing.T) {
	w := start(t, nil)
	req, err := http.NewRequest("GET", "https://api.github.com/repos/acme/widgets", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	resp, err := w.client(t, false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, resp, 501, "Upgrade")
}

// What asks for HTTP/2 over clear text does not leave, to whatever host: what
// belongs to it is for one hop.
func TestUpgradeToHTTP2IsIgnored(t *testing.T) {
	got := make(chan http.Header, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer elsewhere.Close()
	w := start(t, nil)
	conn := w.dial(t)
	fmt.Fprintf(conn, "GET %s/ HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
		elsewhere.URL, strings.TrimPrefix(elsewhere.URL, "http://"))
	if resp := readHead(t, bufio.NewReader(conn)); resp.StatusCode != http.StatusOK {
		t.Errorf("answer %s", resp.Status)
	}
	if fields := <-got; fields["Upgrade"] != nil || fields["Http2-Settings"] != nil {
		t.Errorf("%v arrived", fields)
	}
}

// Whatever an inner request names, the credential does not follow it
// (goproxy 1.9.4's own interception takes it there).
func TestInnerHost(t *testing.T) {
	w := start(t, nil)
	for name, head := range map[string]string{
		"host":           "GET /repos/acme/widgets HTTP/1.1\r\nHost: codeload.github.com\r\n\r\n",
		"absolute form":  "GET https://codeload.github.com/repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n\r\n",
		"port":           "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com:8443\r\n\r\n",
		"elsewhere":      "GET /repos/acme/widgets HTTP/1.1\r\nHost: evil.example.com\r\n\r\n",
		"http and port":  "GET http://api.github.com:80/repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n\r\n",
		"userinfo":       "GET https://api.github.com@evil.example.com/repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n\r\n",
		"host with path": "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com/repos?\r\n\r\n",
		"host with user": "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com@evil.example.com\r\n\r\n",
		"two hosts":      "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nHost: evil.example.com\r\n\r\n",
		"no host":        "GET /repos/acme/widgets HTTP/1.1\r\n\r\n",
	} {
		conn := w.intercepted(t, "api.github.com", nil)
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != 421 && resp.StatusCode != 400 {
			t.Errorf("%s: status %d, want 421 or 400", name, resp.StatusCode)
		}
	}
	for name, spelling := range map[string]string{"case": "API.GitHub.com", "dot": "api.github.com.", "port": "api.github.com:443"} {
		conn := w.intercepted(t, "api.github.com", nil)
		fmt.Fprintf(conn, "GET /repos/acme/widgets HTTP/1.1\r\nHost: %s\r\nUser-Agent: t\r\nConnection: close\r\n\r\n", spelling)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		// What GitHub makes of the spelling is its own affair.
		if resp.Header.Get("Proxy-Status") != "" {
			t.Errorf("%s: %s by the proxy", name, resp.Status)
		}
	}
	for _, r := range w.github.Requests() {
		if strings.Contains(r.Host, "evil") || strings.HasPrefix(r.Host, "codeload") {
			t.Errorf("%v left", r)
		}
	}
}

func TestServerNameMismatch(t *testing.T) {
	w := start(t, nil)
	conn := w.intercepted(t, "api.github.com", &tls.Config{ServerName: "uploads.github.com", InsecureSkipVerify: true})
	io.WriteString(conn, "GET /app HTTP/1.1\r\nHost: api.github.com\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, resp, 421, "uploads.github.com")
}

// Clear HTTP inside a tunnel to port 443 is not served.
func TestClearTextInside(t *testing.T) {
	w := start(t, nil)
	conn := w.dial(t)
	io.WriteString(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n\r\n")
	r := bufio.NewReader(conn)
	if _, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /app HTTP/1.1\r\nHost: api.github.com\r\n\r\n")
	answer, _ := io.ReadAll(r)
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ghapp-proxy: a request without TLS")) {
		t.Errorf("answer %q, want a 400 of ours", answer)
	}
	if n := len(w.github.Requests()); n != 0 {
		t.Errorf("%d requests left", n)
	}
}

// A client may send its ClientHello in the same segment as the CONNECT.
func TestEarlyClientHello(t *testing.T) {
	w := start(t, nil)
	conn := w.dial(t)
	early := &earlyConn{Conn: conn, head: "CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n\r\n"}
	secure := tls.Client(early, &tls.Config{RootCAs: w.roots, ServerName: "api.github.com"})
	if err := secure.Handshake(); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	io.WriteString(secure, "GET /app HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: t\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("status %d, want 200", resp.StatusCode)
	}
}

// earlyConn sends head in one write with the first bytes, and swallows the
// answer to the CONNECT.
type earlyConn struct {
	net.Conn
	head     string
	answered bool
}

func (c *earlyConn) Write(p []byte) (int, error) {
	if c.head != "" {
		head := c.head
		c.head = ""
		_, err := c.Conn.Write(append([]byte(head), p...))
		return len(p), err
	}
	return c.Conn.Write(p)
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if !c.answered {
		c.answered = true
		head := make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))
		if _, err := io.ReadFull(c.Conn, head); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func TestConnectRefusals(t *testing.T) {
	w := start(t, nil)
	for target, want := range map[string]string{
		"api.github.com:80":   "403 ghapp-proxy: port 80 of api.github.com is not served",
		"GitHub.com.:22":      "403 ghapp-proxy: port 22 of github.com is not served",
		"127.0.0.1:1":         "502 ghapp-proxy: 127.0.0.1:1 could not be reached",
		w.addr:                "403 ghapp-proxy: the proxy does not connect to itself",
		"nowhere.invalid:443": "502 ghapp-proxy: nowhere.invalid:443 could not be reached",
	} {
		conn := w.dial(t)
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
		if err != nil {
			t.Errorf("CONNECT %s: %v", target, err)
			continue
		}
		if !strings.HasPrefix(resp.Status, want) {
			t.Errorf("CONNECT %s: %q, want %q", target, resp.Status, want)
		}
	}
}

func TestTunnel(t *testing.T) {
	w := start(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		body, _ := io.ReadAll(conn) // ends when the client half-closes
		conn.Write(bytes.ToUpper(body))
	}()
	conn := w.dial(t)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\nearly ", ln.Addr())
	r := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	io.WriteString(conn, "and late")
	conn.(*net.TCPConn).CloseWrite()
	if got, _ := io.ReadAll(r); string(got) != "EARLY AND LATE" {
		t.Errorf("through the tunnel came %q", got)
	}
	waitFor(t, func() bool { return strings.Contains(w.log.String(), "bytes_in=14 bytes_out=14") }, "the tunnel's log line")
}

func waitFor(t testing.TB, ok func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("waited in vain for %s", what)
}

func TestPlainHTTPOff(t *testing.T) {
	w := start(t, func(s *setup) { s.options.PlainHTTP = false })
	resp, err := w.client(t, false).Get("http://api.github.com/app")
	if err != nil {
		t.Fatal(err)
	}
	refused(t, resp, 403, "plain_http")
	if n := len(w.github.Requests()); n != 0 {
		t.Errorf("%d requests left", n)
	}
}

func TestPassword(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Admission = proxy.Admission{SameUser: true, Password: "s3cret"} })
	for credentials, want := range map[string]int{
		"": 407, "Basic cnVuOnMzY3JldA==": 200, "basic cnVuOnMzY3JldA==": 200, "Basic cnVuOndyb25n": 407, "Basic %%%": 407, "Bearer s3cret": 407,
	} {
		conn := w.dial(t)
		fmt.Fprintf(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\nProxy-Authorization: %s\r\n\r\n", credentials)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"})
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("with %q: %s, want %d", credentials, resp.Status, want)
		}
		if want == 407 && resp.Header.Get("Proxy-Authenticate") != `Basic realm="ghapp-proxy"` {
			t.Errorf("Proxy-Authenticate: %q", resp.Header.Get("Proxy-Authenticate"))
		}
	}
	if n := strings.Count(w.log.String(), "level=WARN"); n != 3 {
		t.Errorf("%d warnings, want one for each wrong password", n)
	}
	// The certificate is no secret.
	if status, body := get(t, http.DefaultClient, "http://"+w.addr+"/ca.pem"); status != 200 || !strings.Contains(body, "BEGIN CERTIFICATE") {
		t.Errorf("/ca.pem: %d %q", status, body)
	}
}

func TestOwnAddressThroughItself(t *testing.T) {
	w := start(t, nil)
	if status, body := get(t, w.client(t, false), "http://"+w.addr+"/ca.pem"); status != 200 || !strings.Contains(body, "BEGIN CERTIFICATE") {
		t.Errorf("/ca.pem through the proxy: %d %q", status, body)
	}
	if status, body := get(t, http.DefaultClient, "http://"+w.addr+"/"); status != 404 || !strings.Contains(body, "HTTPS_PROXY") {
		t.Errorf("/: %d %q", status, body)
	}
}

func TestForwardsPlainHTTPElsewhere(t *testing.T) {
	w := start(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var got *http.Request
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Clone(r.Context()) })}
	go srv.Serve(ln)
	defer srv.Close()
	req, _ := http.NewRequest("GET", "http://"+ln.Addr().String()+"/a%2Fb?x=;", nil)
	req.Header.Set("Authorization", "Basic of-the-client")
	resp, err := w.client(t, false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || got.RequestURI != "/a%2Fb?x=;" || got.Header.Get("Authorization") != "Basic of-the-client" {
		t.Errorf("status %d, arrived %v", resp.StatusCode, got)
	}
}

func TestConcurrentColdRequestsMintOnce(t *testing.T) {
	w := start(t, nil)
	client := w.client(t, false)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			resp, err := client.Get("https://api.github.com/repos/acme/widgets")
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
	wg.Wait()
	if n := w.github.Mints(); n != 1 {
		t.Errorf("%d mints, want 1", n)
	}
}

func TestFallbacks(t *testing.T) {
	const read, write = "GET https://api.github.com/repos/octocat/hello-world", "POST https://api.github.com/repos/octocat/hello-world/issues"
	for _, test := range []struct {
		name          string
		fallback      auth.Fallback
		home          github.InstallationID
		reads, writes githubtest.CredentialKind // "" if refused
	}{
		{"default", auth.FallbackDefault, 111, githubtest.CredentialInstallation, githubtest.CredentialInstallation},
		{"default without one", auth.FallbackDefault, 0, githubtest.CredentialNone, ""},
		{"anonymous", auth.FallbackAnonymous, 111, githubtest.CredentialNone, ""},
		{"refuse", auth.FallbackRefuse, 111, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := start(t, func(s *setup) { s.fallback, s.apps[0].DefaultInstallation = test.fallback, test.home })
			for request, want := range map[string]githubtest.CredentialKind{read: test.reads, write: test.writes} {
				method, url, _ := strings.Cut(request, " ")
				req, _ := http.NewRequest(method, url, strings.NewReader(`{"title":"x"}`))
				resp, err := w.client(t, false).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if want == "" {
					if !strings.HasPrefix(resp.Header.Get("Proxy-Status"), "ghapp-proxy") {
						t.Errorf("%s: status %d, want a refusal of ours", request, resp.StatusCode)
					}
				} else if got := w.last(t, strings.TrimPrefix(url, "https://api.github.com")); got.Credential != want {
					t.Errorf("%s left with %s, want %s", request, got.Credential, want)
				}
			}
		})
	}
}
