package proxy_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestSpeech: who takes the proxy for one of another kind hears it in its own
// protocol, and whoever runs the proxy learns of it, but not of each one.
func TestSpeech(t *testing.T) {
	w := start(t, nil)
	for name, test := range map[string]struct{ say, hear, remedy string }{
		"TLS":    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 ", "set HTTPS_PROXY to http://"},
		"SOCKS5": {"\x05\x02\x00\x02", "\x05\xff", "it speaks no SOCKS"},
		"SOCKS4": {"\x04\x01\x01\xbb\x00\x00\x00\x01me\x00api.github.com\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "it speaks no SOCKS"},
	} {
		for range 20 {
			if heard := hear(t, w.dial(t), test.say); !strings.HasPrefix(heard, test.hear) || test.hear[0] != 'H' && heard != test.hear {
				t.Fatalf("to %s the proxy says %q, want %q", name, heard, test.hear)
			}
		}
		said := `level=WARN msg="a client speaks ` + name + ` to the proxy"`
		w.eventually(t, "a warning", func() bool { return strings.Contains(w.log.String(), said) })
		if log := w.log.String(); strings.Count(log, said) > 5 || !strings.Contains(log, test.remedy) {
			t.Errorf("of 20 clients with %s the log says:\n%s", name, log)
		}
	}
}

// TestSpeechArrives: what is said to a client in another protocol arrives, whatever it sends
// besides.
func TestSpeechArrives(t *testing.T) {
	w := start(t, nil)
	for _, test := range []struct{ say, hear string }{{"\x05\x01\x00", "\x05\xff"}, {"\x04\x01\x01\xbb", "\x00\x5b\x00\x00\x00\x00\x00\x00"}} {
		conn := w.dial(t)
		conn.Write(append([]byte(test.say), make([]byte, 1<<20)...))
		conn.(*net.TCPConn).CloseWrite()
		if heard, err := io.ReadAll(conn); err != nil || string(heard) != test.hear {
			t.Errorf("it hears %q, %v, want %q", heard, err, test.hear)
		}
	}
}

// hear says something, one octet at a time, and returns all that comes back.
func hear(t *testing.T, conn net.Conn, say string) string {
	t.Helper()
	for _, octet := range []byte(say) {
		if _, err := conn.Write([]byte{octet}); err != nil {
			break // it has been told
		}
		time.Sleep(100 * time.Microsecond)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	heard, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%q was cut off: %v", heard, err)
	}
	return string(heard)
}

// TestTLSToTheProxy: a client with TLS fails, and does not wait.
func TestTLSToTheProxy(t *testing.T) {
	w := start(t, nil)
	err := tls.Client(w.dial(t), &tls.Config{InsecureSkipVerify: true}).Handshake()
	if _, isHTTP := err.(tls.RecordHeaderError); !isHTTP {
		t.Errorf("a handshake with the proxy ends with %v", err)
	}
}
