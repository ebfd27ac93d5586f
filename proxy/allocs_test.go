//go:build unix

package proxy_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"testing"
	"time"

	"ghapp-proxy/cache"
	"ghapp-proxy/certs"
	"ghapp-proxy/internal/racetest"
	"ghapp-proxy/proxy"
)

// frugal is a GitHub that allocates next to nothing for a request, so that what is
// counted is the proxy's.
type frugal struct {
	answer []byte
	minted []byte
}

func newFrugal(size int) *frugal {
	head := proxy.GitHubHead + "Content-Length: " + strconv.Itoa(size) + "\r\n\r\n"
	token := fmt.Sprintf(`{"token":"ghs_frugal0123456789abcdefghijklmnop0123","expires_at":%q,"permissions":{"metadata":"read"}}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	return &frugal{
		answer: append([]byte(head), bytes.Repeat([]byte("x"), size)...),
		minted: fmt.Appendf(nil, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(token), token),
	}
}

// serve serves a connection.
func (f *frugal) serve(conn net.Conn) {
	defer conn.Close()
	buf, n := make([]byte, 16<<10), 0
	for {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return
		}
		n += m
		end := bytes.Index(buf[:n], []byte("\r\n\r\n"))
		if end < 0 {
			continue
		}
		answer := f.answer
		if bytes.HasPrefix(buf, []byte("POST /app/installations/")) {
			answer = f.minted
		}
		n = 0
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// startFrugal starts a proxy in front of one.
func startFrugal(t testing.TB, f *frugal, change func(*setup)) *world {
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{"api.github.com", "github.com"}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Certificate(hello.ServerName) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go f.serve(conn)
		}
	}()
	return start(t, func(s *setup) {
		s.options.Audit, s.options.Log = nil, slog.New(slog.DiscardHandler)
		s.options.Cache = cache.New(64 << 20)
		s.upstream.RootCAs.AppendCertsFromPEM(ca.PEM())
		s.upstream.ConnectTo = map[string]string{"api.github.com:443": ln.Addr().String()}
		if change != nil {
			change(s)
		}
	})
}

// asker sends requests for another page each, and reads their answers.
type asker struct {
	t       testing.TB
	conn    net.Conn
	request []byte
	page    []byte // in it
	answer  []byte
}

func newAsker(t testing.TB, conn net.Conn, size int) *asker {
	a := &asker{t: t, conn: conn, answer: make([]byte, size+4<<10)}
	a.request = []byte("GET /repos/acme/widgets/issues?state=open&per_page=30&page=10000000 HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: octokit-core.js/7.0.0\r\n" +
		"Accept: application/vnd.github+json\r\nX-GitHub-Api-Version: 2022-11-28\r\nAuthorization: Bearer ghp_placeholder000000000000000000000000000\r\n\r\n")
	a.page = a.request[bytes.Index(a.request, []byte("10000000")):][:8]
	return a
}

// ask asks for the next page.
func (a *asker) ask(size int) {
	for i := len(a.page) - 1; ; i-- {
		if a.page[i]++; a.page[i] <= '9' {
			break
		}
		a.page[i] = '0'
	}
	a.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := a.conn.Write(a.request); err != nil {
		a.t.Fatal(err)
	}
	n, whole := 0, -1
	for whole < 0 || n < whole {
		m, err := a.conn.Read(a.answer[n:])
		if err != nil {
			a.t.Fatal(err)
		}
		n += m
		if end := bytes.Index(a.answer[:n], []byte("\r\n\r\n")); end >= 0 && whole < 0 {
			whole = end + 4 + size
		}
	}
	if !bytes.HasPrefix(a.answer, []byte("HTTP/1.1 200 ")) {
		a.t.Fatalf("%s", a.answer[:n])
	}
}

// BenchmarkRelay is a small GET of the relay's, of which no two are the same. Client and GitHub
// are counted, but do next to nothing: "direct" is they alone.
func BenchmarkRelay(b *testing.B) {
	const size = 1 << 10
	for name, change := range map[string]func(*setup){
		"cache":    nil,
		"no cache": func(s *setup) { s.options.Cache = nil },
		"audit":    func(s *setup) { s.options.Audit = io.Discard },
	} {
		b.Run(name, func(b *testing.B) {
			w := startFrugal(b, newFrugal(size), change)
			benchmarkAsker(b, newAsker(b, w.intercepted(b, "api.github.com", nil), size), size)
		})
	}
}

func benchmarkAsker(b *testing.B, a *asker, size int) {
	for range 100 {
		a.ask(size)
	}
	b.ReportAllocs()
	n, before := 0, cpuTime()
	for b.Loop() {
		a.ask(size)
		n++
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(n), "cpu-ns/op")
}

// mostAllocations are what a small GET of the relay's may cost, client and GitHub included, of which each
// takes one for the TLS record that it reads. Of the rest what the cache keeps of an answer is a third.
const mostAllocations = 17

// TestAllocations: what is on for everybody costs no more memory than it did, and records next to none.
func TestAllocations(t *testing.T) {
	if racetest.Enabled || !*withRelay {
		t.Skip("other ways allocate more")
	}
	const size = 1 << 10
	for _, audited := range []bool{false, true} {
		most := float64(mostAllocations)
		w := startFrugal(t, newFrugal(size), func(s *setup) {
			if audited {
				s.options.Audit, most = io.Discard, most+2
			}
		})
		a := newAsker(t, w.intercepted(t, "api.github.com", nil), size)
		for range 50 {
			a.ask(size)
		}
		if n := testing.AllocsPerRun(500, func() { a.ask(size) }); n > most {
			t.Errorf("audited %v: %v allocations for a request, want %v at most", audited, n, most)
		}
	}
}

// TestOrderOfKept: the fields of an answer that the cache keeps are in the order in which they came, and spelled so.
func TestOrderOfKept(t *testing.T) {
	if !*withRelay {
		t.Skip("net/http has an order of its own")
	}
	f := newFrugal(2)
	w := startFrugal(t, f, nil)
	a := newAsker(t, w.intercepted(t, "api.github.com", nil), 2)
	for range 2 {
		a.ask(2)
		if head, _, _ := bytes.Cut(f.answer, []byte("\r\n\r\n")); !bytes.HasPrefix(a.answer, head) {
			t.Fatalf("got %q, want %q", a.answer, head)
		}
	}
}

// TestIdleConnectionKeepsNothing: of a request that has been answered an idle connection keeps nothing.
func TestIdleConnectionKeepsNothing(t *testing.T) {
	if racetest.Enabled || !*withRelay {
		t.Skip("it is the relay's")
	}
	const size, conns = 1 << 10, 100
	w := startFrugal(t, newFrugal(size), func(s *setup) { s.options.Cache = nil })
	opened := make([]net.Conn, conns)
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for i := range opened {
		opened[i] = w.intercepted(t, "api.github.com", nil)
	}
	before := live()
	one := newAsker(t, nil, size)
	for _, one.conn = range opened {
		one.ask(size)
	}
	if grown := (live() - before) / conns; grown > 3<<10 {
		t.Errorf("each of %d connections keeps %d bytes of its request", conns, grown)
	}
	runtime.KeepAlive(opened)
}
