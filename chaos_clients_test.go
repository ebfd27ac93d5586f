package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func (s *storm) tls(host string) *tls.Config { return &tls.Config{RootCAs: s.roots, ServerName: host} }

// connect opens a tunnel through the proxy as one of the clients, nil if that
// fails.
func (s *storm) connect(ctx context.Context, rnd *rand.Rand, hostport string) net.Conn {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	client := stormClients[rnd.IntN(len(stormClients))]
	credentials := base64.StdEncoding.EncodeToString([]byte(client + ":" + secretOf(client)))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\nProxy-Authorization: Basic %s\r\n\r\n", hostport, credentials)
	const established = "HTTP/1.1 200 Connection established\r\n\r\n"
	head := make([]byte, len(established))
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != established {
		conn.Close()
		return nil
	}
	return conn
}

// intercepted opens a connection to a served host, nil if that fails.
func (s *storm) intercepted(ctx context.Context, rnd *rand.Rand, host string, protocols ...string) *tls.Conn {
	conn := s.connect(ctx, rnd, host+":443")
	if conn == nil {
		return nil
	}
	config := s.tls(host)
	config.NextProtos = protocols
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil
	}
	return secure
}

// plainRequests makes some requests over a connection of HTTP/1.1, octet by octet.
func (s *storm) plainRequests(_ *testing.T, ctx context.Context, rnd *rand.Rand) {
	conn := s.intercepted(ctx, rnd, "api.github.com")
	if conn == nil {
		return
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for range 1 + rnd.IntN(8) {
		path, stays := s.next(), s.ask(conn, rnd)
		answered := stays(path) && readAnswer(r, rnd)
		s.note(path, answered)
		if !answered {
			return
		}
	}
}

// ask returns a way to ask for a path: it reports whether an answer can come.
func (s *storm) ask(conn io.Writer, rnd *rand.Rand) func(path string) bool {
	size := rnd.IntN(300_000)
	send := func(format string, args ...any) {
		fmt.Fprintf(conn, format+" HTTP/1.1\r\nHost: api.github.com\r\n", args...)
	}
	body := make([]byte, rnd.IntN(100_000))
	return func(path string) bool {
		switch rnd.IntN(8) {
		case 0: // half a head: nothing was asked
			io.WriteString(conn, "GET "+path+" HT")
			return false
		case 1: // half a body
			send("PUT %s", path)
			fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n", len(body)+1)
			conn.Write(body)
			return false
		case 2: // half a body in chunks
			send("PUT %s", path)
			fmt.Fprintf(conn, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(body)+1, body)
			return false
		case 3: // a body, the end of which comes late
			send("PUT %s?n=%d", path, size)
			fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n", len(body)+1)
			conn.Write(body)
			time.Sleep(time.Duration(rnd.IntN(100)) * time.Millisecond)
			io.WriteString(conn, "x")
		case 4:
			send("PUT %s?n=%d", path, size)
			fmt.Fprintf(conn, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
		default:
			send("GET %s?n=%d", path, size)
			io.WriteString(conn, "\r\n")
		}
		return true
	}
}

// readAnswer reads one answer: it reports whether there was a head, and the
// connection can be used again.
func readAnswer(r *bufio.Reader, rnd *rand.Rand) bool {
	resp, err := http.ReadResponse(r, nil)
	for err == nil && resp.StatusCode < 200 {
		resp, err = http.ReadResponse(r, nil) // that one was interim
	}
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if rnd.IntN(6) == 0 { // slowly
		for range 5 {
			io.CopyN(io.Discard, resp.Body, 1000)
			time.Sleep(20 * time.Millisecond)
		}
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && !resp.Close
}

// multiplexedRequests makes some requests at once over a connection of HTTP/2.
func (s *storm) multiplexedRequests(_ *testing.T, ctx context.Context, rnd *rand.Rand) {
	conn := s.intercepted(ctx, rnd, "api.github.com", "h2")
	if conn == nil {
		return
	}
	transport := &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, Protocols: new(http.Protocols), DisableCompression: true,
	}
	transport.Protocols.SetHTTP2(true)
	cc, err := transport.NewClientConn(ctx, "https", "api.github.com:443")
	if err != nil {
		conn.Close()
		return
	}
	defer cc.Close()
	done := make(chan struct{})
	n := 1 + rnd.IntN(20)
	for range n {
		path, seed := s.next(), rnd.Uint64()
		go func() {
			defer func() { done <- struct{}{} }()
			s.note(path, s.stream(ctx, cc, "https://api.github.com"+path, rand.New(rand.NewPCG(seed, 0))))
		}()
	}
	for range n {
		<-done
	}
}

// stream makes one request over HTTP/2 and reports whether there was an answer.
// Some leave before it is there, or before its end.
func (s *storm) stream(ctx context.Context, cc *http.ClientConn, target string, rnd *rand.Rand) bool {
	patience := 5 * time.Second
	if rnd.IntN(4) == 0 {
		patience = time.Duration(rnd.IntN(50)) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	method, body := http.MethodGet, io.Reader(nil)
	if rnd.IntN(2) == 0 {
		method, body = http.MethodPut, bytes.NewReader(make([]byte, rnd.IntN(200_000)))
	}
	req, err := http.NewRequestWithContext(ctx, method, target+"?n="+strconv.Itoa(rnd.IntN(200_000)), body)
	if err != nil {
		panic(err)
	}
	resp, err := cc.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if rnd.IntN(4) > 0 {
		_, _ = io.Copy(io.Discard, resp.Body) // what is cut off was an answer, too
	}
	return true
}

// uploads sends something large to a server that may answer before it was read.
func (s *storm) uploads(_ *testing.T, ctx context.Context, rnd *rand.Rand) {
	h2 := rnd.IntN(2) == 0
	transport := &http.Transport{
		Proxy: http.ProxyURL(s.proxyURL(stormClients[rnd.IntN(len(stormClients))])), TLSClientConfig: s.tls("uploads.github.com"), ForceAttemptHTTP2: h2,
	}
	defer transport.CloseIdleConnections()
	for range 3 {
		path := fmt.Sprintf("/repos/acme/widgets/releases/%d/assets", s.ids.Add(1))
		// A Reader of no type that net/http knows: it cannot be sent again.
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://uploads.github.com"+path+"?name=x", io.LimitReader(zeros{}, rnd.Int64N(5<<20)))
		if err != nil {
			panic(err)
		}
		resp, err := transport.RoundTrip(req)
		s.note(path, err == nil)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // may be cut off
			resp.Body.Close()
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// tunnel sends something through the proxy to a host that is not served.
func (s *storm) tunnel(t *testing.T, ctx context.Context, rnd *rand.Rand) {
	conn := s.connect(ctx, rnd, "echo.example.org:443")
	if conn == nil {
		return
	}
	defer conn.Close()
	s.tunnels.Add(1)
	sent := make([]byte, rnd.IntN(100_000))
	if rnd.IntN(4) == 0 {
		conn.Write(sent)
		conn.(*net.TCPConn).SetLinger(0) // RST
		return
	}
	go func() {
		conn.Write(sent)
		conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err == nil && !bytes.HasPrefix(sent, got) { // a reload may have cut it
		t.Error("other bytes came back than were sent")
	}
}

// strange sends the proxy what no client does.
func (s *storm) strange(_ *testing.T, ctx context.Context, rnd *rand.Rand) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	said := []string{
		"", "\x16\x03\x01\x02\x00\x01\x00\x01", "\x05\x01\x00", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n",
		"CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n\r\n",
		"CONNECT api.github.com:443 HTTP/1.1\r\nProxy-Authorization: Basic b25lOndyb25n\r\n\r\n",
		"POST http://api.github.com/user HTTP/1.1\r\nHost: api.github.com\r\nContent-Length: 1000\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1+rnd.IntN(200_000)),
	}
	io.WriteString(conn, said[rnd.IntN(len(said))])
	if rnd.IntN(2) == 0 {
		io.Copy(io.Discard, conn)
	}
	pause(ctx, 10*time.Millisecond)
}

// programs are real clients, where they are installed.
func (s *storm) programs() (actors []func(*testing.T, context.Context, *rand.Rand)) {
	if curl, err := exec.LookPath("curl"); err == nil {
		actors = append(actors, func(_ *testing.T, ctx context.Context, rnd *rand.Rand) { s.curl(ctx, rnd, curl) })
	}
	if git, err := exec.LookPath("git"); err == nil {
		actors = append(actors, func(t *testing.T, ctx context.Context, rnd *rand.Rand) { s.git(t, ctx, rnd, git) })
	}
	return actors
}

func (s *storm) curl(ctx context.Context, rnd *rand.Rand, program string) {
	path := s.next()
	options := []string{"--http1.1", "--http2"}
	cmd := exec.CommandContext(ctx, program, "-sS", options[rnd.IntN(2)], "--max-time", "5", "-o", os.DevNull, "-w", "%{http_code}",
		"--proxy", s.proxyURL("one").String(), "--cacert", filepath.Join(s.dir, "ca.pem"), "https://api.github.com"+path+"?n=50000")
	code, _ := cmd.Output() // whatever became of it is in the code
	s.note(path, len(code) > 0 && string(code) != "000")
}

// git clones and pushes. What becomes of it is not looked at: GitHub fails it often.
func (s *storm) git(t *testing.T, ctx context.Context, rnd *rand.Rand, program string) {
	dir, err := os.MkdirTemp(s.dir, "clone")
	if err != nil {
		t.Error(err)
		return
	}
	defer os.RemoveAll(dir)
	run := func(args ...string) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_SSL_CAINFO="+filepath.Join(s.dir, "ca.pem"),
			"HTTPS_PROXY="+s.proxyURL(stormClients[rnd.IntN(2)]).String(),
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		return cmd.Run()
	}
	if run("clone", "-q", "https://github.com/acme/widgets", ".") != nil {
		return
	}
	if run("commit", "-q", "--allow-empty", "-m", "chaos") == nil {
		_ = run("push", "-q", "origin", fmt.Sprintf("HEAD:refs/heads/agent/%d", rnd.IntN(10)))
	}
}
