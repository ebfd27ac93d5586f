package proxy

import (
	"bytes"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/github"
)

// syncBuffer is a log that many goroutines write.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func explode() { panic("SECRET of a fault") }

// TestFault: a fault in a handler ends its request, and is an error in the log
// that says where it was.
func TestFault(t *testing.T) {
	for name, test := range map[string]struct {
		handler func(*gateway, http.ResponseWriter, *http.Request)
		cut     bool
	}{
		"before the gateway": {func(_ *gateway, _ http.ResponseWriter, _ *http.Request) { explode() }, false},
		"in the gateway": {func(g *gateway, w http.ResponseWriter, r *http.Request) {
			defer (&exchange{events: g.events, session: session{host: github.Host{Name: "api.github.com"}}}).end(r, recorderOf(w))
			w.Header().Set("Content-Length", "1000000")
			explode()
		}, false},
		"behind an answer's head": {func(g *gateway, w http.ResponseWriter, r *http.Request) {
			defer (&exchange{events: g.events}).end(r, recorderOf(w))
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			explode()
		}, true},
	} {
		for _, h2 := range []bool{false, true} {
			var text syncBuffer
			logger := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn}))
			g := &gateway{events: &event.Sink{Log: logger}}
			server := httptest.NewUnstartedServer(attend(func(w http.ResponseWriter, r *http.Request) { test.handler(g, w, r) }, &Options{Log: logger, stalls: maxStalls}))
			server.EnableHTTP2 = h2
			server.Config.ErrorLog = log.New(serverLog{logger}, "", 0)
			server.StartTLS()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatalf("%s, h2 %v: %v", name, h2, err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			server.Close()
			if test.cut != (err != nil) {
				t.Errorf("%s, h2 %v: the body ends with %v", name, h2, err)
			}
			if !test.cut && (resp.StatusCode != 500 || !strings.Contains(resp.Header.Get("Proxy-Status"), "error=proxy_internal_error") || !bytes.Contains(body, []byte("a fault of the proxy's own")) || bytes.Contains(body, []byte("SECRET"))) {
				t.Errorf("%s, h2 %v: answer %s %q %v", name, h2, resp.Status, body, resp.Header)
			}
			got := text.String()
			if strings.Count(got, "level=ERROR") != 1 || strings.Count(got, "level=") != 1 || !strings.Contains(got, "proxy.explode") {
				t.Errorf("%s, h2 %v: want one error with its stack in the log:\n%s", name, h2, got)
			}
		}
	}
}

// TestFaultOutsideOfHandlers: what net/http catches itself is an error, too.
func TestFaultOutsideOfHandlers(t *testing.T) {
	var text syncBuffer
	logger := slog.New(slog.NewTextHandler(&text, nil))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { explode() }))
	server.Config.ErrorLog = log.New(serverLog{logger}, "", 0)
	server.Start()
	if resp, err := server.Client().Get(server.URL); err == nil {
		resp.Body.Close()
		t.Errorf("answer %s", resp.Status)
	}
	server.Close()
	if got := text.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "panic serving") || !strings.Contains(got, "proxy.explode") {
		t.Errorf("want one error with its stack in the log:\n%s", got)
	}
}

// faultyBody is a body that panics.
type faultyBody struct{}

func (faultyBody) Read([]byte) (int, error) { explode(); return 0, nil }
func (faultyBody) Close() error             { return nil }

// TestBodyOutlivesHandler: whoever reads on gets an error, and touches nothing of
// the request's.
func TestBodyOutlivesHandler(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	touched := 0
	b := &requestBody{
		ReadCloser: io.NopCloser(readerFunc(func([]byte) (int, error) { close(begun); <-release; return 0, io.EOF })),
		trailer:    http.Header{"Host": {"x"}}, h2: true,
		watch: watch{limit: time.Millisecond, expire: func(*http.ResponseController, time.Time) error { touched++; return nil }},
	}
	done := make(chan error)
	go func() { _, err := b.Read(make([]byte, 1)); done <- err }()
	<-begun
	b.leave()
	b.mu.Lock()
	before := touched
	b.mu.Unlock()
	time.Sleep(10 * time.Millisecond) // its patience ends
	close(release)
	if err := <-done; err != io.EOF {
		t.Errorf("the read under way: %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, errHandlerDone) {
		t.Errorf("a read that comes later: %v, want %v", err, errHandlerDone)
	}
	if touched != before || b.trailer["Host"] == nil {
		t.Errorf("what belongs to the handler was used: %d deadlines, trailers %v", touched-before, b.trailer)
	}

	b = &requestBody{ReadCloser: faultyBody{}, watch: watch{limit: time.Hour}}
	if _, err := b.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "a fault of ghapp-proxy") {
		t.Errorf("a body that panics: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
