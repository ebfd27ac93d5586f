package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// relayTest is a relay whose clock is a bubble's. What it does is noted.
type relayTest struct {
	*relay
	t      *testing.T
	config *tls.Config
	handed chan net.Conn

	mu     sync.Mutex
	states []http.ConnState
}

func newRelayTest(t *testing.T, config *tls.Config, handler http.HandlerFunc) *relayTest {
	r := &relayTest{t: t, config: config, handed: make(chan net.Conn, 1)}
	r.relay = &relay{handler: handler, note: r.noted, hand: func(c net.Conn) { r.handed <- c }, log: slog.New(slog.DiscardHandler), conns: make(map[*relayConn]struct{})}
	return r
}

func (r *relayTest) noted(conn net.Conn, s http.ConnState) {
	_, inner := interceptedOf(conn)
	inner.used.Store(inner.used.Load() || s == http.StateActive) // as noteInside does
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, s)
}

// connect returns the client's side of a connection that the relay serves.
func (r *relayTest) connect() *tls.Conn {
	r.t.Helper()
	client, ours := net.Pipe()
	go func() {
		inner := &interceptedConn{Conn: ours}
		inner.session.usage = newUsage("")
		inner.session.slot = &slot{usage: inner.session.usage}
		secure := tls.Server(inner, r.config)
		if secure.Handshake() == nil {
			r.serve(&insideConn{Conn: secure})
		}
	}()
	conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// wantStates fails unless these were noted, and nothing else.
func (r *relayTest) wantStates(want ...http.ConnState) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.states, want) {
		r.t.Errorf("the states were %v, want %v", r.states, want)
	}
}

// left is how many connections the relay has.
func (r *relayTest) left() int {
	synctest.Wait()
	r.relay.mu.Lock()
	defer r.relay.mu.Unlock()
	return len(r.conns)
}

const plainGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func say(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// getOK sends a request, and fails unless it is answered.
func getOK(t *testing.T, conn net.Conn) {
	t.Helper()
	go io.WriteString(conn, plainGet)
	wantOK(t, conn)
}

func wantOK(t *testing.T, conn net.Conn) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "ok" || err != nil {
		t.Fatalf("answered with %q, %v", body, err)
	}
}

// inBubble runs a test with a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, config *tls.Config)) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // for its certificate
	config := &tls.Config{Certificates: server.TLS.Certificates}
	server.Close()
	synctest.Test(t, func(t *testing.T) { test(t, config) })
}

// A client that says nothing has as long as for a head; after its first request it
// has as long as idleLimit lets it.
func TestRelayFirstRequestInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, config *tls.Config) {
		r := newRelayTest(t, config, say)
		conn := r.connect()
		began := time.Now()
		if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(began) != headTimeout {
			t.Errorf("ended after %v with %v, want %v", time.Since(began), err, headTimeout)
		}
		r.wantStates(http.StateNew, http.StateClosed)

		conn = r.connect()
		time.Sleep(headTimeout - time.Second)
		getOK(t, conn)
		time.Sleep(20 * headTimeout)
		getOK(t, conn)
		conn.Close()
		r.wantStates(http.StateNew, http.StateClosed, http.StateNew, http.StateActive, http.StateIdle, http.StateActive, http.StateIdle, http.StateClosed)
		if n := r.left(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// What does not come in time is net/http's, without a deadline of the relay's.
func TestRelayHandsOver(t *testing.T) {
	for text, patience := range map[string]time.Duration{
		"GET / HT": headTimeout,
		"POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nbod":        bodyPatience,
		"POST /graphql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0": 0,
		"GET / HTTP/1.0\r\n\r\n": 0,
	} {
		for _, later := range []bool{false, true} { // than another request
			inBubble(t, func(t *testing.T, config *tls.Config) {
				r := newRelayTest(t, config, say)
				conn := r.connect()
				states := []http.ConnState{http.StateNew}
				if later {
					getOK(t, conn)
					states = append(states, http.StateActive, http.StateIdle)
				}
				began := time.Now()
				go io.WriteString(conn, text)
				theirs := <-r.handed
				if took := time.Since(began); took != patience {
					t.Errorf("%q: handed over after %v, want %v", text, took, patience)
				}
				r.wantStates(states...) // net/http says the rest
				time.Sleep(time.Hour)
				go io.WriteString(conn, "more")
				got := make([]byte, len(text)+len("more"))
				if _, err := io.ReadFull(theirs, got); err != nil || string(got) != text+"more" {
					t.Errorf("%q: read as %q, %v", text, got, err)
				}
				go theirs.Write([]byte("x"))
				if _, err := io.ReadFull(conn, got[:1]); err != nil {
					t.Errorf("%q: nothing can be written: %v", text, err)
				}
				if n := r.left(); n != 0 {
					t.Errorf("%q: the relay still has %d connections", text, n)
				}
				theirs.Close()
				conn.Close()
			})
		}
	}
}

// Whether a client leaves is watched from leaveCheck on, and no longer than its request
// takes.
func TestRelayWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, config *tls.Config) {
		var ended atomic.Int64 // how long a request took that was ended
		r := newRelayTest(t, config, func(w http.ResponseWriter, req *http.Request) {
			began := time.Now()
			select {
			case <-req.Context().Done():
				ended.Store(int64(time.Since(began)))
			case <-time.After(time.Minute):
				say(w, req)
			}
		})
		conn := r.connect()
		io.WriteString(conn, plainGet)
		time.Sleep(leaveCheck / 2)
		conn.NetConn().Close()
		if r.left(); ended.Load() != 0 {
			t.Error("the request ended before")
		}
		time.Sleep(leaveCheck)
		if n := r.left(); ended.Load() != int64(leaveCheck) || n != 0 {
			t.Errorf("the request ended after %v, want %v; %d connections are left", time.Duration(ended.Load()), leaveCheck, n)
		}

		ended.Store(0)
		conn = r.connect()
		for range 3 { // of which each is watched
			getOK(t, conn)
		}
		conn.Close()
		if n := r.left(); ended.Load() != 0 || n != 0 {
			t.Errorf("a request was ended: %v; %d connections are left", ended.Load() != 0, n)
		}
	})
}

// A request that fails ends its connection, and no other.
func TestRelayPanics(t *testing.T) {
	inBubble(t, func(t *testing.T, config *tls.Config) {
		r := newRelayTest(t, config, func(w http.ResponseWriter, req *http.Request) {
			if req.Host == "a" {
				say(w, req)
				return
			}
			io.WriteString(w, strings.Repeat("x", 100_000))
			panic(http.ErrAbortHandler)
		})
		other, conn := r.connect(), r.connect()
		getOK(t, other)
		go io.WriteString(conn, strings.Replace(plainGet, ": a", ": b", 1))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil {
			t.Error("an answer that broke off looks whole")
		}
		conn.Close()
		getOK(t, other)
		other.Close()
		if n := r.left(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// shutdown waits for requests, closes what has none, and serves nothing that comes later.
func TestRelayShutdown(t *testing.T) {
	inBubble(t, func(t *testing.T, config *tls.Config) {
		r := newRelayTest(t, config, func(w http.ResponseWriter, req *http.Request) {
			time.Sleep(time.Second)
			say(w, req)
		})
		fresh, idle, busy := r.connect(), r.connect(), r.connect()
		getOK(t, idle)
		go io.WriteString(busy, plainGet+plainGet)
		synctest.Wait()
		began := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- r.shutdown(t.Context()) }()
		for name, conn := range map[string]net.Conn{"one without a request yet": fresh, "an idle one": idle} {
			if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(began) != 0 {
				t.Errorf("%s ended after %v with %v, want at once", name, time.Since(began), err)
			}
		}
		late := r.connect()
		if _, err := late.Read(make([]byte, 1)); err == nil || time.Since(began) != 0 {
			t.Errorf("a late one ended after %v with %v, want at once", time.Since(began), err)
		}
		if n := r.left(); n != 1 {
			t.Errorf("%d connections are left, want the busy one", n)
		}
		in := bufio.NewReader(busy)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("the request under way: %v", err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "ok" || err != nil {
			t.Errorf("the request under way: %q, %v", body, err)
		}
		io.Copy(io.Discard, in) // the second had been sent, and may be answered
		if err := <-ended; err != nil || time.Since(began) > 2*time.Second+2*relayTick {
			t.Errorf("shut down after %v with %v", time.Since(began), err)
		}
	})
}

// shutdown ends with its context, and close ends everything.
func TestRelayShutdownInVain(t *testing.T) {
	inBubble(t, func(t *testing.T, config *tls.Config) {
		r := newRelayTest(t, config, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
		conn := r.connect()
		io.WriteString(conn, plainGet)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shut down with %v", err)
		}
		idle := newRelayTest(t, config, say)
		waits := idle.connect()
		getOK(t, waits)
		idle.close()
		r.close()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("a connection with a request outlives close")
		}
		if _, err := waits.Read(make([]byte, 1)); err == nil {
			t.Error("a connection without a request outlives close")
		}
		time.Sleep(leaveCheck)
		if n := r.left() + idle.left(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		late := r.connect()
		if _, err := late.Read(make([]byte, 1)); err == nil {
			t.Error("after close a connection is served")
		}
	})
}
