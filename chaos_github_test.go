package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/certs"
	"ghapp-proxy/githubtest"
)

// answerChaos answers with as many bytes as the query asks for.
func answerChaos(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return // the client has left
		}
	}
	n, _ := strconv.Atoi(r.URL.Query().Get("n")) // none is 0
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	w.Write(make([]byte, n))
}

// misbehaveGitHub does one thing that GitHub or the network has been seen to do,
// and waits.
func (s *storm) misbehaveGitHub(_ *testing.T, ctx context.Context, rnd *rand.Rand) {
	pick := func(faults ...githubtest.Middleware) githubtest.Middleware { return faults[rnd.IntN(len(faults))] }
	switch n := rnd.IntN(100); {
	case n < 1:
		s.github.RevokeAll()
	case n < 5:
		s.github.SetClockSkew(time.Duration(rnd.IntN(7200)-3600) * time.Second)
	case n < 15:
		s.github.CloseIdle()
	case n < 20:
		defer s.github.RejectYoungTokens(300*time.Millisecond, http.StatusUnauthorized)()
	default:
		s.github.Inject(githubtest.Fault{
			Match: githubtest.OnPath("/repos/acme/"), Count: 1 + rnd.IntN(5), For: time.Second,
			Do: pick(
				githubtest.ServerError(http.StatusBadGateway),
				githubtest.AnswerError(http.StatusUnauthorized, "Bad credentials"),
				githubtest.AnswerError(http.StatusForbidden, "Resource not accessible by integration"),
				githubtest.AnswerError(http.StatusNotFound, "Not Found"),
				githubtest.EarlyAnswer(http.StatusRequestEntityTooLarge),
				githubtest.EarlyHints("</style.css>; rel=preload"),
				githubtest.Trailer("X-Checksum", "1"),
				githubtest.Header("Link", `<https://api.github.com/repositories/1/x?page=2>; rel="next"`),
				githubtest.ResetConnection(),
				githubtest.CutBody(rnd.Int64N(1000)),
				githubtest.SlowBody(1+rnd.IntN(4096), time.Millisecond),
				githubtest.Stall(time.Duration(1+rnd.IntN(300))*time.Millisecond),
			),
		})
	}
	pause(ctx, time.Duration(rnd.IntN(100))*time.Millisecond)
}

// reload changes the configuration, or writes one with a fault.
func (s *storm) reload(t *testing.T, ctx context.Context, rnd *rand.Rand) {
	s.configure(t, rnd.IntN(len(stormChanges)))
	if err := s.proxy.Process.Signal(syscall.SIGHUP); err != nil {
		t.Error(err)
	}
	pause(ctx, time.Duration(100+rnd.IntN(900))*time.Millisecond)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// rudeServer speaks HTTP/1.1 over TLS with no library in between: it answers
// before it has read, stops reading, and hangs up in the middle.
type rudeServer struct {
	addr  string
	caPEM []byte

	mu    sync.Mutex
	conns map[net.Conn]bool // open → between two requests
}

func startRude(t *testing.T) *rudeServer {
	t.Helper()
	const host = "uploads.github.com"
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{host}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Certificate(host) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	s := &rudeServer{addr: ln.Addr().String(), caPEM: ca.PEM(), conns: make(map[net.Conn]bool)}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // the test has ended
			}
			go s.serve(conn)
		}
	}()
	return s
}

// serve answers the requests of a connection.
func (s *rudeServer) serve(conn net.Conn) {
	defer s.forget(conn)
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(conn)
	for {
		s.note(conn, true)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		s.note(conn, false)
		if !answerRudely(conn, r, req) {
			return
		}
	}
}

func (s *rudeServer) note(conn net.Conn, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[conn] = idle
}

func (s *rudeServer) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	conn.Close()
}

// closeIdle closes what is between two requests.
func (s *rudeServer) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, idle := range s.conns {
		if idle {
			conn.Close()
		}
	}
}

// answerRudely reads and answers a request in one of many ways, and reports
// whether the connection can be used again.
func answerRudely(conn net.Conn, r *bufio.Reader, req *http.Request) (keep bool) {
	answer := func(status int, more string) {
		fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n%s\r\n{}", status, http.StatusText(status), more)
	}
	switch rand.IntN(9) {
	case 0: // early, and closed
		answer(http.StatusUnauthorized, "Connection: close\r\n")
	case 1: // early, in the middle of the body
		io.CopyN(io.Discard, req.Body, 10_000)
		answer(http.StatusRequestEntityTooLarge, "Connection: close\r\n")
	case 2: // not at all
	case 3: // half a head
		io.WriteString(conn, "HTTP/1.1 201 Created\r\nContent-Le")
	case 4: // half a body
		io.WriteString(conn, "HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{")
	case 5: // slowly
		io.CopyN(io.Discard, req.Body, 70_000)
		time.Sleep(200 * time.Millisecond)
		fallthrough
	default:
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return false
		}
		answer(http.StatusCreated, "")
		return true
	}
	return false
}
