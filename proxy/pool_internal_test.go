package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
)

// rawHost is a host that answers with octets. Each of its connections gets a number,
// from 1.
type rawHost struct {
	pool  *pool
	conns atomic.Int32
	mu    sync.Mutex
	open  []net.Conn
}

// startRawHost starts one. serve is called for each request, of which the host has read
// the head.
func startRawHost(t *testing.T, serve func(conn *tls.Conn, number int, head string)) *rawHost {
	t.Helper()
	server := httptest.NewUnstartedServer(nil) // for its certificate
	server.StartTLS()
	server.TLS.DynamicRecordSizingDisabled = true
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &rawHost{}
	h.pool = &pool{
		dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
		},
		direct: func(*url.URL) bool { return true },
		config: &tls.Config{RootCAs: roots},
		idle:   make(map[string][]*poolConn),
	}
	t.Cleanup(func() {
		ln.Close()
		h.pool.close()
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, conn := range h.open {
			conn.Close()
		}
	})
	go func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.open = append(h.open, raw)
			h.mu.Unlock()
			number := int(h.conns.Add(1))
			go func() {
				conn := tls.Server(raw, server.TLS)
				in := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					serve(conn, number, req.Method+" "+req.URL.Path)
				}
			}()
		}
	}()
	return h
}

// get sends a request, and returns the answer's body.
func (h *rawHost) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "https://example.com"+path, nil)
	if err != nil {
		return "", err
	}
	if !h.pool.takes(req) {
		return "", errors.New("the pool does not take it")
	}
	resp, _, err := h.pool.roundTrip(req, nil, false)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.TLS == nil || len(resp.TLS.PeerCertificates) == 0 {
		return "", errors.New("the answer does not say whose certificate it was")
	}
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func (h *rawHost) idle() (n int) {
	h.pool.mu.Lock()
	defer h.pool.mu.Unlock()
	for _, list := range h.pool.idle {
		n += len(list)
	}
	return n
}

func answerOf(text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

// TestPoolUnasked: what a host says without being asked is the answer to no request,
// whichever way it comes.
func TestPoolUnasked(t *testing.T) {
	poison := answerOf("poison")
	for name, write := range map[string]func(conn *tls.Conn, path string){
		"in the same record":     func(conn *tls.Conn, path string) { io.WriteString(conn, answerOf(path)+poison) },
		"in a record of its own": func(conn *tls.Conn, path string) { io.WriteString(conn, answerOf(path)); io.WriteString(conn, poison) },
		"within one write": func(conn *tls.Conn, path string) {
			io.WriteString(conn, answerOf(path)+strings.Repeat(poison, 1000))
		},
		"later": func(conn *tls.Conn, path string) {
			io.WriteString(conn, answerOf(path))
			time.Sleep(50 * time.Millisecond)
			io.WriteString(conn, poison)
		},
		"after an empty body": func(conn *tls.Conn, path string) { io.WriteString(conn, answerOf("")+poison) },
		"after chunks": func(conn *tls.Conn, path string) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"+poison)
		},
		"where the buffer ends": func(conn *tls.Conn, path string) {
			const record = 16 << 10
			begin := "HTTP/1.1 200 OK\r\nA: "
			io.WriteString(conn, begin+strings.Repeat("x", record-len(begin)))
			io.WriteString(conn, strings.Repeat("x", record))
			rest := "\r\nContent-Length: 1\r\n\r\n"
			fill := readSize - 2*record - len(rest) - 1
			io.WriteString(conn, strings.Repeat("x", fill)+rest+"x"+poison)
		},
		"an octet": func(conn *tls.Conn, path string) { io.WriteString(conn, answerOf(path)+"\n") },
		"a 408": func(conn *tls.Conn, path string) {
			io.WriteString(conn, answerOf(path))
			time.Sleep(50 * time.Millisecond)
			io.WriteString(conn, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startRawHost(t, func(conn *tls.Conn, _ int, head string) { write(conn, head) })
			for i := range 4 {
				text, err := h.get(t.Context(), fmt.Sprint("/", i))
				if err != nil || strings.Contains(text, "poison") || len(text) > 3 && text != fmt.Sprint("GET /", i) {
					t.Errorf("request %d got %q, %v", i, text, err)
				}
				time.Sleep(120 * time.Millisecond)
			}
		})
	}
}

// TestPoolKeeps: one connection serves one request after the other, also after long
// bodies, and as many at once as it has to.
func TestPoolKeeps(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	h := startRawHost(t, func(conn *tls.Conn, _ int, head string) {
		switch head {
		case "GET /long":
			io.WriteString(conn, answerOf(long))
		case "GET /chunks":
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		case "GET /none":
			io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		case "GET /interim":
			io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"+answerOf("final"))
		default:
			io.WriteString(conn, answerOf(head))
		}
	})
	for path, want := range map[string]string{"/a": "GET /a", "/long": long, "/chunks": "abc", "/none": "", "/interim": "final"} {
		for range 3 {
			if got, err := h.get(t.Context(), path); err != nil || got != want {
				t.Fatalf("%s: %.20q, %v", path, got, err)
			}
		}
	}
	if n := h.conns.Load(); n != 1 {
		t.Errorf("%d connections for one request after the other, want 1", n)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 10 {
				if got, err := h.get(t.Context(), "/b"); err != nil || got != "GET /b" {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if n, idle := h.conns.Load(), h.idle(); n > 20 || idle > int(n) || idle == 0 {
		t.Errorf("%d connections, %d of them idle, for 20 requests at once", n, idle)
	}
	h.pool.close()
	if h.idle() != 0 {
		t.Error("connections are kept after close")
	}
}

// TestPoolDrops: a connection that is of no use any more serves nobody else.
func TestPoolDrops(t *testing.T) {
	for name, write := range map[string]func(conn *tls.Conn, head string){
		"closed by the host": func(conn *tls.Conn, head string) { io.WriteString(conn, answerOf(head)); conn.Close() },
		"said to be closed": func(conn *tls.Conn, head string) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		},
		"HTTP/1.0": func(conn *tls.Conn, head string) {
			io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
		},
		"of no length": func(conn *tls.Conn, head string) { io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); conn.Close() },
		"switched": func(conn *tls.Conn, head string) {
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		},
		"another close": func(conn *tls.Conn, head string) { io.WriteString(conn, answerOf(head)); conn.CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startRawHost(t, func(conn *tls.Conn, _ int, head string) { write(conn, head) })
			for i := range 3 {
				if _, err := h.get(t.Context(), "/a"); err != nil {
					t.Errorf("request %d: %v", i, err)
				}
				time.Sleep(20 * time.Millisecond) // the end of a connection is on its way
			}
			if n := h.conns.Load(); n != 3 {
				t.Errorf("%d connections for 3 requests", n)
			}
		})
	}
}

// TestPoolBreaks: why there is no answer is what faultOf knows.
func TestPoolBreaks(t *testing.T) {
	for name, test := range map[string]struct {
		write func(conn *tls.Conn)
		want  string
	}{
		"at once":         {func(conn *tls.Conn) { conn.Close() }, "connection_terminated"},
		"within the head": {func(conn *tls.Conn) { io.WriteString(conn, "HTTP/1.1 200 OK\r\nA: b\r\n"); conn.Close() }, "http_response_incomplete"},
		"within the body": {func(conn *tls.Conn) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxx")
			conn.Close()
		}, "connection_terminated"},
		"with no HTTP": {func(conn *tls.Conn) { io.WriteString(conn, "SSH-2.0-x\r\n\r\n"); conn.Close() }, "http_protocol_error"},
		"with a large head": {func(conn *tls.Conn) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", maxAnswerHead))
		}, "http_response_header_section_size"},
		"with many interims": {func(conn *tls.Conn) { io.WriteString(conn, strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 9)) }, "http_protocol_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startRawHost(t, func(conn *tls.Conn, _ int, _ string) { test.write(conn) })
			_, err := h.get(t.Context(), "/a")
			if err == nil || string(faultOf(err)) != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			if h.idle() != 0 {
				t.Error("the connection is kept")
			}
		})
	}
}

// TestPoolCancel: who leaves ends the connection, before the answer and within it.
func TestPoolCancel(t *testing.T) {
	asked := make(chan struct{}, 2)
	h := startRawHost(t, func(conn *tls.Conn, _ int, head string) {
		if head == "GET /within" {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxx")
		}
		asked <- struct{}{}
	})
	for _, path := range []string{"/before", "/within"} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			time.Sleep(20 * time.Millisecond)
			cancel()
		}()
		began := time.Now()
		if _, err := h.get(ctx, path); err == nil || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v", path, err, time.Since(began))
		}
		if path == "/before" {
			if _, err := h.get(ctx, path); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want that it was cancelled", err)
			}
		}
		if h.idle() != 0 {
			t.Errorf("%s: the connection is kept", path)
		}
	}
}

// TestPoolKeepsNot: a connection is not kept whose request was cancelled, nor after
// close, nor where there are enough.
func TestPoolKeepsNot(t *testing.T) {
	for name, before := range map[string]func(p *pool, conn *poolConn, cancel func()) (kept int){
		"cancelled": func(_ *pool, _ *poolConn, cancel func()) int { cancel(); return 0 },
		"closed":    func(p *pool, _ *poolConn, _ func()) int { p.close(); return 0 },
		"enough": func(p *pool, conn *poolConn, _ func()) int {
			p.mu.Lock()
			defer p.mu.Unlock()
			for range maxIdlePerHost {
				p.idle[conn.host] = append(p.idle[conn.host], conn)
			}
			return maxIdlePerHost
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := startRawHost(t, func(conn *tls.Conn, _ int, _ string) { io.WriteString(conn, answerOf("xx")) })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "GET", "https://example.com/", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, _, err := h.pool.roundTrip(req, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			kept := before(h.pool, resp.Body.(*pooledBody).conn, cancel)
			if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "xx" { // it has come already
				t.Errorf("%q, %v", text, err)
			}
			if n := h.idle(); n != kept {
				t.Errorf("%d connections are kept, want %d", n, kept)
			}
		})
	}
}

// TestPoolTakes: what the pool would not send as it has to be is left to net/http.
func TestPoolTakes(t *testing.T) {
	p := &pool{direct: func(to *url.URL) bool { return to.Host == "example.com" }}
	for name, test := range map[string]struct {
		url    string
		body   io.Reader
		change func(*http.Request)
		want   bool
	}{
		"no body":           {want: true},
		"a small one":       {body: strings.NewReader("x"), want: true},
		"a large one":       {body: strings.NewReader(strings.Repeat("x", maxPooledBody+1))},
		"one of no length":  {body: strings.NewReader("x"), change: func(r *http.Request) { r.ContentLength = -1 }},
		"one that is gone":  {body: strings.NewReader("x"), change: func(r *http.Request) { r.GetBody = nil }},
		"a trailer":         {body: strings.NewReader("x"), change: func(r *http.Request) { r.Trailer = http.Header{"A": nil} }},
		"an expectation":    {change: func(r *http.Request) { r.Header.Set("Expect", "100-continue") }},
		"another protocol":  {change: func(r *http.Request) { r.Header.Set("Upgrade", "websocket") }},
		"not over TLS":      {url: "http://example.com/"},
		"by a second proxy": {url: "https://example.org/"},
	} {
		if test.url == "" {
			test.url = "https://example.com/"
		}
		req, err := http.NewRequest("GET", test.url, test.body)
		if err != nil {
			t.Fatal(err)
		}
		if test.change != nil {
			test.change(req)
		}
		if got := p.takes(req); got != (test.want && canPeek) {
			t.Errorf("%s: taken %v, want %v", name, got, test.want)
		}
	}
}

// leavingConn is a connection whose client leaves while something is written.
type leavingConn struct {
	net.Conn
	leave func()
	ended chan struct{} // by a deadline
}

func (c *leavingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if c.leave != nil {
		c.leave()
		<-c.ended
	}
	return n, err
}

func (c *leavingConn) SetDeadline(t time.Time) error {
	err := c.Conn.SetDeadline(t)
	if c.leave != nil {
		close(c.ended)
	}
	return err
}

// TestPoolCancelWhileWriting: who leaves while the request is written does not wait for
// the answer.
func TestPoolCancelWhileWriting(t *testing.T) {
	h := startRawHost(t, func(*tls.Conn, int, string) {})
	dial, raw := h.pool.dial, (*leavingConn)(nil)
	h.pool.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		raw = &leavingConn{Conn: conn, ended: make(chan struct{})}
		return raw, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conn, err := h.pool.connect(ctx, &url.URL{Scheme: "https", Host: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	raw.leave = cancel
	stop := time.AfterFunc(5*time.Second, func() { raw.Conn.Close() })
	defer stop.Stop()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := conn.do(req, nil); !errors.Is(err, context.Canceled) || time.Since(began) > 4*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// TestPoolSweep: what was idle for too long is closed, whether or not a request comes.
func TestPoolSweep(t *testing.T) {
	h := startRawHost(t, func(conn *tls.Conn, _ int, head string) { io.WriteString(conn, answerOf(head)) })
	get := func() {
		t.Helper()
		if _, err := h.get(t.Context(), "/a"); err != nil {
			t.Fatal(err)
		}
	}
	get()
	age := func() {
		h.pool.mu.Lock()
		defer h.pool.mu.Unlock()
		for _, list := range h.pool.idle {
			for _, conn := range list {
				conn.since = time.Now().Add(-idle)
			}
		}
	}
	age()
	get()
	if n := h.conns.Load(); n != 2 {
		t.Errorf("%d connections, want another one", n)
	}
	age()
	h.pool.sweep()
	h.pool.mu.Lock()
	if h.pool.sweeper != nil || len(h.pool.idle) != 0 {
		t.Error("something is kept of what is gone")
	}
	h.pool.mu.Unlock()
	get()
	h.pool.close()
}

// faulty is a client whose answer cannot be begun: there is a fault.
type faulty struct{ http.ResponseWriter }

func (faulty) WriteHeader(int) { panic("a fault") }

// TestPoolFault: a fault between the head of an answer and its body leaves no
// connection behind.
func TestPoolFault(t *testing.T) {
	h := startRawHost(t, func(conn *tls.Conn, _ int, _ string) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxx")
	})
	dialed := make(chan net.Conn, 1)
	dial := h.pool.dial
	h.pool.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		dialed <- conn
		return conn, err
	}
	source := auth.New(nil, auth.Options{})
	defer source.Close()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "https://example.com/a", nil)
	x := &exchange{source: source, session: session{host: github.Host{Name: "example.com"}}, path: "/a", events: &event.Sink{}}
	x.out = newRecorder(faulty{httptest.NewRecorder()}, &Options{stalls: maxStalls})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no fault")
			}
		}()
		(&forwarder{carrier: &carrier{kept: h.pool}}).serve(x.out, r, x)
	}()
	if _, err := (<-dialed).Write([]byte{0}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection is open: %v", err)
	}
}
