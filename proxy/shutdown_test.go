package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/rules"
)

// TestShutdownRecords: what is cut off at the end is counted, and has its record
// when Shutdown returns.
func TestShutdownRecords(t *testing.T) {
	github := githubtest.Start(t, githubtest.Options{})
	sink := startSink(t, "127.0.0.1:0")
	const each = 10
	arrived := make(chan struct{}, 2*each)
	github.Handle("api.github.com", "/slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	w := startBefore(t, github, "127.0.0.1:0", nil)
	for i := range 2 * each {
		client := w.client(t, i%2 == 0)
		go func() {
			if resp, err := client.Get("https://api.github.com/slow"); err == nil {
				resp.Body.Close()
			}
		}()
	}
	for range each {
		conn, _ := w.connect(t, sink.addr)
		done := make(chan struct{})
		t.Cleanup(func() { <-done })
		go func() { // it is not idle
			defer close(done)
			for _, err := conn.Write([]byte("x")); err == nil; _, err = conn.Write([]byte("x")) {
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	for range 2 * each {
		<-arrived
	}
	end, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := w.proxy.Shutdown(end)
	records := w.records(t) // at once: the file is closed now
	cut, ok := errors.AsType[*proxy.CutOffError](err)
	if !ok || cut.Requests != 2*each || cut.Tunnels != each || cut.Unrecorded != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want %d requests and %d tunnels cut off, all recorded", err, 2*each, each)
	}
	kinds := map[event.Kind]int{}
	for _, r := range records {
		if r.Phase != event.Begin {
			kinds[r.Kind]++
		}
	}
	if kinds["request"] != 2*each || kinds["tunnel"] != each {
		t.Errorf("there are records of %v, want all", kinds)
	}
}

// TestShutdownWhileConnecting: a tunnel that has no host yet is cut off too, and
// one that waits for an idle end is not.
func TestShutdownWhileConnecting(t *testing.T) {
	never, err := net.Listen("tcp", "127.0.0.1:0") // an upstream proxy that does not answer
	if err != nil {
		t.Fatal(err)
	}
	defer never.Close()
	w := start(t, func(s *setup) { s.upstream.Proxy = through(&url.URL{Scheme: "http", Host: never.Addr().String()}) })
	conn := w.dial(t)
	fmt.Fprint(conn, "CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	if at, err := never.Accept(); err != nil {
		t.Fatal(err)
	} else {
		defer at.Close()
	}
	end, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = w.proxy.Shutdown(end)
	if cut, ok := errors.AsType[*proxy.CutOffError](err); !ok || cut.Tunnels != 1 || cut.Requests != 0 || cut.Unrecorded != 0 {
		t.Errorf("%v, want a tunnel cut off", err)
	}
	if records := w.records(t); len(records) != 1 || records[0].Decision != "failed" {
		t.Errorf("the records are %+v, want one of a CONNECT that failed", records)
	}
}

// TestShutdownOfWhatIsIdle cuts nothing off.
func TestShutdownOfWhatIsIdle(t *testing.T) {
	w := start(t, nil)
	sink := startSink(t, "127.0.0.1:0")
	w.connect(t, sink.addr)
	get(t, w.client(t, true), "https://api.github.com/repos/acme/widgets")
	end, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.proxy.Shutdown(end); err != nil {
		t.Error(err)
	}
	if text := w.log.String(); !strings.Contains(text, "msg=tunnel") {
		t.Errorf("the tunnel is not in the log when Shutdown returns:\n%s", text)
	}
}

// TestTunnelEndsWithoutError: however the ends of a connection close it once they
// are done, that is no error.
func TestTunnelEndsWithoutError(t *testing.T) {
	reset := func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0); conn.Close() }
	for name, test := range map[string]struct {
		client, host func(net.Conn)
	}{
		"the client closes":                      {func(c net.Conn) { c.Close() }, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }},
		"the host closes":                        {func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }, func(c net.Conn) { c.Close() }},
		"the host closes, and the client resets": {func(c net.Conn) { io.Copy(io.Discard, c); reset(c) }, func(c net.Conn) { c.Close() }},
		"the client closes, and the host resets": {func(c net.Conn) { c.(*net.TCPConn).CloseWrite(); io.Copy(io.Discard, c); c.Close() },
			func(c net.Conn) { io.Copy(io.Discard, c); reset(c) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			w := start(t, nil)
			record := w.audited(t, func() {
				conn, _ := w.connect(t, ln.Addr().String())
				host, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				go func() { test.host(host); close(done) }()
				test.client(conn)
				<-done
			})
			if record.Reason != "" {
				t.Errorf("the record has the reason %q, want none", record.Reason)
			}
			w.eventually(t, "the line of the tunnel", func() bool { return strings.Contains(w.log.String(), "msg=tunnel") })
			if text := w.log.String(); strings.Contains(text, "error=") {
				t.Errorf("the log has an error:\n%s", text)
			}
		})
	}
}

// TestRequestID: what a client is told, the log and the audit log can be joined.
func TestRequestID(t *testing.T) {
	const nobody = "127.0.0.2:1"
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "local", Networks: loopback, Repositories: repositories(t, "acme/widgets")})
		s.options.Rules = rules.Set{Exchange: true}
		s.upstream.Egress = egress(t, true, nobody, "")
	})
	fetch := func(url string) func(*testing.T) *http.Response {
		return func(t *testing.T) *http.Response {
			resp, err := w.client(t, false).Get(url)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp
		}
	}
	connect := func(host string) func(*testing.T) *http.Response {
		return func(t *testing.T) *http.Response { _, resp := w.connect(t, host); return resp }
	}
	for what, ask := range map[string]func(*testing.T) *http.Response{
		"a refusal":            fetch("https://api.github.com/repos/acme/gadgets"),
		"a refusal of http://": fetch("http://192.0.2.1/"),
		"an annotated answer":  fetch("https://api.github.com/rate_limit"),
		"a failed connection":  fetch("http://" + nobody + "/"),
		"a refused CONNECT":    connect("192.0.2.1:443"),
		"a CONNECT that fails": connect(nobody),
	} {
		t.Run(what, func(t *testing.T) {
			var resp *http.Response
			record := w.audited(t, func() { resp = ask(t) })
			if want := `; request-id="` + record.ID + `"`; !strings.HasSuffix(resp.Header.Get("Proxy-Status"), want) {
				t.Errorf("Proxy-Status is %q, want %s at its end", resp.Header.Get("Proxy-Status"), want)
			}
			if !strings.Contains(w.log.String(), " id="+record.ID+" ") {
				t.Errorf("the log has no line with the id %s:\n%s", record.ID, w.log)
			}
		})
	}
}
