package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/policy"
)

// limitedTo starts a world with one client, "agent", which has these limits.
func limitedTo(t testing.TB, limits policy.Limits, change func(*setup)) *world {
	t.Helper()
	return start(t, func(s *setup) {
		client := withSecret()
		client.Limits = limits
		s.options.Clients = clients(t, client)
		if change != nil {
			change(s)
		}
	})
}

// limitRefusal checks an answer that names the client, the key and the remedy.
func limitRefusal(t testing.TB, resp *http.Response, status int, key string) {
	t.Helper()
	text := resp.Status + bodyOf(t, resp)
	again := resp.Header.Get("Retry-After") != ""
	if resp.StatusCode != status || !strings.Contains(text, "ghapp-proxy: client agent ") || !strings.Contains(text, "raise client.agent."+key) || again != (status == 429) {
		t.Errorf("%s, Retry-After %v: %s; want %d about client.agent.%s", resp.Status, again, text, status, key)
	}
}

func TestMaxConnections(t *testing.T) {
	w := limitedTo(t, policy.Limits{MaxConnections: 2}, nil)
	var held []net.Conn
	for range 2 {
		conn := w.dial(t)
		if resp := connectOn(t, conn, basicAuth("agent", agentSecret)); resp.StatusCode != 200 {
			t.Fatalf("within the limit: %s", resp.Status)
		}
		held = append(held, conn)
	}
	limitRefusal(t, w.authenticate(t, basicAuth("agent", agentSecret)), 429, "max_connections")
	resp, err := w.clientAs(t, "agent", agentSecret, false).Get("http://api.github.com/repos/acme/widgets")
	if err != nil {
		t.Fatal(err)
	}
	limitRefusal(t, resp, 429, "max_connections")
	resp.Body.Close()
	w.eventually(t, "a record of it", func() bool {
		records := w.records(t)
		return len(records) == 2 && records[1].Client == "agent" && records[1].DecidedBy == "client.agent.max_connections"
	})
	held[0].Close()
	w.eventually(t, "room for another connection", func() bool {
		return w.authenticate(t, basicAuth("agent", agentSecret)).StatusCode == 200
	})
}

// TestSlotsAreReleased: whatever becomes of a connection, another can take its
// place.
func TestSlotsAreReleased(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }()
		}
	}()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	w := limitedTo(t, policy.Limits{MaxConnections: 1}, func(s *setup) {
		s.options.Clients.All()[0].Hosts = []string{"api.github.com"}
	})
	send := func(text string) {
		conn := w.dial(t)
		defer conn.Close()
		head, rest, _ := strings.Cut(text, "\r\n")
		fmt.Fprintf(conn, "%s\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", head, basicAuth("agent", agentSecret))
		buf := make([]byte, 1<<10)
		if n, err := conn.Read(buf); n == 0 {
			t.Fatalf("%q: %v", text, err)
		}
		if rest != "" {
			io.WriteString(conn, rest)
			conn.Read(buf) // an alert, an echo or nothing
		}
	}
	request := func(url string, h2 bool) {
		client := w.clientAs(t, "agent", agentSecret, h2)
		for range 2 {
			if status, text := get(t, client, url); status != 200 {
				t.Fatalf("%s: %d %s", url, status, text)
			}
		}
		client.CloseIdleConnections()
	}
	const repeated = 10
	before := runtime.NumGoroutine()
	for name, connection := range map[string]func(){
		"closed before the handshake": func() { send("CONNECT api.github.com:443 HTTP/1.1\r\n") },
		"no handshake":                func() { send("CONNECT api.github.com:443 HTTP/1.1\r\nthis is no ClientHello\r\n\r\n") },
		"another port":                func() { send("CONNECT api.github.com:444 HTTP/1.1\r\n") },
		"no port":                     func() { send("CONNECT api.github.com HTTP/1.1\r\n") },
		"a host that is not granted":  func() { send("CONNECT github.com:443 HTTP/1.1\r\n") },
		"a tunnel":                    func() { send("CONNECT " + echo.Addr().String() + " HTTP/1.1\r\nhello") },
		"a tunnel to nobody":          func() { send("CONNECT " + closed.Addr().String() + " HTTP/1.1\r\n") },
		"http":                        func() { send("GET http://api.github.com/repos/acme/widgets HTTP/1.1\r\n") },
		"http that is refused":        func() { send("GET http://github.com/acme/widgets HTTP/1.1\r\n") },
		"http to nobody":              func() { send("GET http://" + closed.Addr().String() + "/ HTTP/1.1\r\n") },
		"http, kept":                  func() { request("http://api.github.com/repos/acme/widgets", false) },
		"HTTP/1.1":                    func() { request("https://api.github.com/repos/acme/widgets", false) },
		"HTTP/2":                      func() { request("https://api.github.com/repos/acme/widgets", true) },
	} {
		for range repeated {
			w.eventually(t, "room after "+name, func() bool {
				conn := w.dial(t)
				defer conn.Close()
				return connectOn(t, conn, basicAuth("agent", agentSecret)).StatusCode == 200
			})
			w.eventually(t, "room after a probe", func() bool { return w.proxy.Connections("agent") == 0 })
			connection()
			w.eventually(t, "the end of "+name, func() bool { return w.proxy.Connections("agent") == 0 })
		}
	}
	w.eventually(t, "the end of their goroutines", func() bool {
		http.DefaultClient.CloseIdleConnections()
		// Upstream's connections are kept: two goroutines each here, and two at the fake.
		var stacks strings.Builder
		pprof.Lookup("goroutine").WriteTo(&stacks, 2)
		kept := strings.Count(stacks.String(), "net/http.(*persistConn).readLoop(")
		return runtime.NumGoroutine() < before+repeated+4*kept
	})
}

// TestMaxRequests: what is under way counts, in one connection as in several.
func TestMaxRequests(t *testing.T) {
	w := limitedTo(t, policy.Limits{MaxRequests: 2}, nil)
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	w.github.Handle("api.github.com", "/slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	client := w.clientAs(t, "agent", agentSecret, true)
	var slow sync.WaitGroup
	for range 2 {
		slow.Go(func() {
			resp, err := client.Get("https://api.github.com/slow")
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	<-arrived
	<-arrived
	for _, url := range throughAll {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		limitRefusal(t, resp, 429, "max_requests")
		resp.Body.Close()
	}
	close(release)
	slow.Wait()
	w.eventually(t, "room for another request", func() bool {
		status, _ := get(t, client, throughAll[0])
		return status == 200
	})
}

func TestRequestsPerMinute(t *testing.T) {
	w := limitedTo(t, policy.Limits{RequestsPerMinute: 18}, nil)
	client := w.clientAs(t, "agent", agentSecret, true)
	for range 3 {
		if status, text := get(t, client, throughAll[0]); status != 200 {
			t.Fatalf("within the limit: %d %s", status, text)
		}
	}
	for _, url := range throughAll {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if after := resp.Header.Get("Retry-After"); after != "3" && after != "4" {
			t.Errorf("Retry-After %q, want the time until another is allowed: 60 s / 18", after)
		}
		limitRefusal(t, resp, 429, "requests_per_minute")
		resp.Body.Close()
	}
}

// TestMaxBody: a body of an unknown length is refused as well, and as such, also
// where it is read before it leaves.
func TestMaxBody(t *testing.T) {
	needGit(t)
	w := limitedTo(t, policy.Limits{MaxBody: 1000}, func(s *setup) {
		client := s.options.Clients.All()[0]
		client.Push, client.GraphQL = refs(t, "refs/heads/agent/**"), policy.GraphQLRead
	})
	issue := func(n int) string { return `{"title":"` + strings.Repeat("x", n-12) + `"}` }
	push := func(n int) string {
		line := strings.Repeat("0", 40) + " " + strings.Repeat("1", 40) + " refs/heads/agent/x\x00report-status\n"
		text := fmt.Sprintf("%04x%s0000PACK", len(line)+4, line)
		return text + strings.Repeat("x", n-len(text))
	}
	head := func(n int) string { // the list alone is too long
		line := strings.Repeat("0", 40) + " " + strings.Repeat("1", 40) + " refs/heads/agent/" + strings.Repeat("x", 200) + "\n"
		return strings.Repeat(fmt.Sprintf("%04x%s", len(line)+4, line), n/len(line)+1)
	}
	for name, test := range map[string]struct {
		url  string
		body func(n int) string
		fits int // status; 0: it is not tried
	}{
		"API":  {"https://api.github.com/repos/acme/widgets/issues", issue, 201},
		"http": {"http://api.github.com/repos/acme/widgets/issues", issue, 201},
		"GraphQL": {"https://api.github.com/graphql", func(n int) string {
			return `{"query":"{ repository(owner: \"acme\", name: \"widgets\") { name } }"}` + strings.Repeat(" ", n-70)
		}, 200},
		"push":      {"https://github.com/acme/widgets.git/git-receive-pack", push, 0},
		"push head": {"https://github.com/acme/widgets.git/git-receive-pack", head, 0},
	} {
		for _, h2 := range []bool{false, true} {
			for _, chunked := range []bool{false, true} {
				client := w.clientAs(t, "agent", agentSecret, h2)
				send := func(n int) *http.Response {
					t.Helper()
					var body io.Reader = strings.NewReader(test.body(n))
					if chunked {
						body = io.MultiReader(body) // of a length that nobody knows
					}
					resp, err := client.Post(test.url, "application/json", body)
					if err != nil {
						t.Fatalf("%s, h2 %v, chunked %v: %v", name, h2, chunked, err)
					}
					return resp
				}
				if test.fits != 0 {
					resp := send(900)
					if text := bodyOf(t, resp); resp.StatusCode != test.fits {
						t.Errorf("%s, h2 %v, chunked %v: %s %s, want %d", name, h2, chunked, resp.Status, text, test.fits)
					}
					resp.Body.Close()
				}
				resp := send(100_000)
				limitRefusal(t, resp, 413, "max_body")
				resp.Body.Close()
			}
		}
	}
}

// TestMaxConnectionAge: a request ends as it would, and the connection after it.
func TestMaxConnectionAge(t *testing.T) {
	const age = 100 * time.Millisecond
	w := limitedTo(t, policy.Limits{MaxConnectionAge: age}, nil)
	reused := func(client *http.Client, url string) (again bool) {
		t.Helper()
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { again = info.Reused }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		bodyOf(t, resp)
		resp.Body.Close()
		return again
	}
	for _, url := range throughAll {
		for _, h2 := range []bool{false, true} {
			client := w.clientAs(t, "agent", agentSecret, h2)
			reused(client, url)
			time.Sleep(age)
			w.eventually(t, "a new connection", func() bool { return !reused(client, url) })
		}
	}

	tunnel := w.dial(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	start := time.Now()
	fmt.Fprintf(tunnel, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", ln.Addr(), basicAuth("agent", agentSecret))
	text, err := io.ReadAll(tunnel)
	if took := time.Since(start); !bytes.HasPrefix(text, []byte("HTTP/1.1 200 ")) || took < age || took > 5*time.Second {
		t.Errorf("a tunnel ended after %v with %q, %v; want %v", took, text, err, age)
	}
}

// TestLookupsPerMinute: owners that nobody knows cost a question to GitHub. Of
// what is allowed in a minute all may be asked at once; one more would have to
// wait for twelve seconds.
func TestLookupsPerMinute(t *testing.T) {
	w := limitedTo(t, policy.Limits{LookupsPerMinute: 5}, func(s *setup) {
		for _, app := range s.apps {
			app.Installations = nil
		}
	})
	for _, client := range []*http.Client{w.clientAs(t, "agent", agentSecret, true), w.clientAs(t, "agent", agentSecret, false)} {
		statuses := map[int]int{}
		for i := range 5 {
			resp, err := client.Get(fmt.Sprintf("https://api.github.com/repos/nobody-%d-%p/x", i, client))
			if err != nil {
				t.Fatal(err)
			}
			if statuses[resp.StatusCode]++; resp.StatusCode == 429 {
				limitRefusal(t, resp, 429, "lookups_per_minute")
			}
			resp.Body.Close()
		}
		if statuses[429] < 3 {
			t.Errorf("statuses %v, want 429 after five questions", statuses)
		}
	}
	resp, err := w.clientAs(t, "agent", agentSecret, false).Get("http://api.github.com/repos/nobody-at-all/x")
	if err != nil {
		t.Fatal(err)
	}
	limitRefusal(t, resp, 429, "lookups_per_minute")
	resp.Body.Close()
}
