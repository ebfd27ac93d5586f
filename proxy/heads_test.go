package proxy_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ghapp-proxy/proxy"

	"golang.org/x/net/http2"
)

// headOf answers with a head of about n bytes.
func headOf(n int) string {
	return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + strings.Repeat("Link: "+strings.Repeat("x", 992)+"\r\n", n/1000) + "\r\n"
}

// A head that nobody sends who means well is not taken in: the client is told.
func TestLargeAnswerHead(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					var n int
					fmt.Sscanf(req.URL.Path, "/head/%d", &n)
					fmt.Fprint(conn, headOf(n))
				}
			}()
		}
	}()
	for _, h2 := range []bool{false, true} {
		w := start(t, func(s *setup) { s.upstream.HTTP2 = h2 })
		for n, want := range map[int]int{40_000: 200, 80_000: 502} {
			path := fmt.Sprintf("/head/%d", n)
			w.github.Handle("api.github.com", path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for range n / 1000 {
					w.Header().Add("Link", strings.Repeat("x", 992))
				}
			}))
			for _, url := range []string{"https://api.github.com" + path, "http://" + ln.Addr().String() + path} {
				resp, err := w.client(t, false).Get(url)
				if err != nil {
					t.Fatalf("%s, h2 %v: %v", url, h2, err)
				}
				text := bodyOf(t, resp)
				resp.Body.Close()
				why := resp.Header.Get("Proxy-Status")
				if resp.StatusCode != want || want == 502 && (!strings.Contains(why, "error=http_response_header_section_size") || !strings.Contains(text, "64 KiB")) {
					t.Errorf("%s, h2 %v: %s %s, Proxy-Status %.200s; want %d", url, h2, resp.Status, text, why, want)
				}
			}
		}
	}
}

// What GitHub may send that nobody reads is stated to it, and all streams of a
// connection have room at once.
func TestUnreadAnswersAreBounded(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	upstream := proxy.NewUpstream(proxy.UpstreamOptions{
		HTTP2: true, RootCAs: roots, ConnectTo: map[string]string{"example.com:443": ln.Addr().String()},
	})
	defer upstream.Close()
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://example.com/", nil)
		if resp, err := upstream.Transport().RoundTrip(req); err == nil {
			resp.Body.Close()
		}
	}()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		t.Fatal(err)
	}
	frames := http2.NewFramer(conn, conn)
	var stream, whole uint32
	for stream == 0 || whole == 0 {
		frame, err := frames.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			stream, _ = frame.Value(http2.SettingInitialWindowSize)
		case *http2.WindowUpdateFrame:
			whole = frame.Increment
		}
	}
	if stream > 1<<20 || whole > 64<<20 || whole < 100*stream {
		t.Errorf("windows of %d bytes for a stream and %d for a connection, want less than 1 MiB and 64 MiB, and room for 100 streams", stream, whole)
	}
}
