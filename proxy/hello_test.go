package proxy

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/policy"
)

// helloFor is the ClientHello that Go's client sends, in one record.
func helloFor(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	config.InsecureSkipVerify = true
	go func() {
		tls.Client(client, config).Handshake() // fails: nobody answers
		client.Close()
	}()
	hello := make([]byte, 5)
	if _, err := io.ReadFull(server, hello); err != nil {
		t.Fatal(err)
	}
	hello = append(hello, make([]byte, binary.BigEndian.Uint16(hello[3:]))...)
	if _, err := io.ReadFull(server, hello[5:]); err != nil {
		t.Fatal(err)
	}
	return hello
}

// fragment cuts the handshake message in a record into records of n bytes.
func fragment(record []byte, n int) []byte {
	var out []byte
	for part := range slices.Chunk(record[5:], n) {
		out = append(out, record[0], record[1], record[2])
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out
}

// dripping is a reader that gives a byte at a time.
type dripping struct{ io.Reader }

func (d dripping) Read(p []byte) (int, error) { return d.Reader.Read(p[:min(len(p), 1)]) }

func TestReadHello(t *testing.T) {
	hello := helloFor(t, &tls.Config{ServerName: "host.example.com"})
	warnings := bytes.Repeat([]byte{21, 3, 1, 0, 2, 1, 100}, maxHello)
	large := fragment(append([]byte{22, 3, 1, 0, 0, 1, 0, 255, 255}, make([]byte, 255<<8|255)...), 16<<10)
	tests := []struct {
		name string
		in   []byte
		want string
		err  string
	}{
		{"whole", hello, "host.example.com", ""},
		{"followed by data", append(slices.Clone(hello), "early data"...), "host.example.com", ""},
		{"in records of 100", fragment(hello, 100), "host.example.com", ""},
		{"in records of 1", fragment(hello, 1), "host.example.com", ""},
		{"TLS 1.2", helloFor(t, &tls.Config{ServerName: "host.example.com", MaxVersion: tls.VersionTLS12}), "host.example.com", ""},
		{"TLS 1.0", helloFor(t, &tls.Config{ServerName: "host.example.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), "host.example.com", ""},
		{"upper case", helloFor(t, &tls.Config{ServerName: "HOST.example.com"}), "HOST.example.com", ""},
		{"no server name", helloFor(t, &tls.Config{}), "", ""},
		{"trailing dot", bytes.Replace(hello, []byte("host.example.com"), []byte("host.example.co."), 1), "", "error decoding message"},
		{"cut short", hello[:len(hello)-1], "", "EOF"},
		{"nothing", nil, "", "EOF"},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: host.example.com\r\n\r\n"), "", "does not look like a TLS handshake"},
		{"SSH", []byte("SSH-2.0-OpenSSH_9.2p1\r\n"), "", "does not look like a TLS handshake"},
		{"SSL 2", append([]byte{0x80, 0x2e, 1, 3, 1}, make([]byte, 100)...), "", "unsupported SSLv2 handshake"},
		{"another message", append([]byte{22, 3, 1, 0, 4, 20, 0, 0, 0}, hello...), "", "unexpected handshake message"},
		{"endless warnings", warnings, "", "too many ignored records"},
		{"large", large, "", "no ClientHello within 32768 bytes"},
	}
	for _, test := range tests {
		for how, in := range map[string]io.Reader{"at once": bytes.NewReader(test.in), "in drops": dripping{bytes.NewReader(test.in)}} {
			name, read, err := readHello(in)
			if err != nil {
				if test.err == "" || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%s, %s: %v, want %q", test.name, how, err, test.err)
				}
				continue
			}
			if name != test.want || test.err != "" {
				t.Errorf("%s, %s: %q, want %q, %q", test.name, how, name, test.want, test.err)
			}
			rest, _ := io.ReadAll(in)
			if !bytes.Equal(append(read, rest...), test.in) {
				t.Errorf("%s, %s: what was read is not what was sent", test.name, how)
			}
		}
	}
}

// A client that stays silent, or drips, is not waited for.
func TestHelloTimeout(t *testing.T) {
	hello := helloFor(t, &tls.Config{ServerName: "host.example.com"})
	d, err := policy.ParseDestination("host.example.com:443", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, pause := range map[string]time.Duration{"silent": time.Hour, "dripping": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				go func() {
					defer client.Close()
					for i := range hello {
						time.Sleep(pause)
						if _, err := client.Write(hello[i : i+1]); err != nil {
							return
						}
					}
				}()
				start := time.Now()
				tun := &tunnel{client: server}
				tun.patience.Store(int64(tunnelIdle))
				if _, err := tun.checkHello(d); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("checkHello: %v, want a timeout", err)
				}
				if waited := time.Since(start); waited < helloTimeout || waited > helloTimeout+2*time.Second {
					t.Errorf("it took %v, want %v", waited, helloTimeout)
				}
				server.Close()
				time.Sleep(pause) // for the client to notice
			})
		})
	}
}

// Whatever is read stays what was sent, and a name that is found is in it.
func FuzzReadHello(f *testing.F) {
	hello := helloFor(f, &tls.Config{ServerName: "host.example.com"})
	f.Add(hello)
	f.Add(fragment(hello, 50))
	f.Add(helloFor(f, &tls.Config{ServerName: "host.example.com", MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		name, read, err := readHello(bytes.NewReader(in))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(in, read) || len(read) > maxHello {
			t.Fatalf("%d bytes were read, which are not what was sent", len(read))
		}
		again, _, err := readHello(bytes.NewReader(read))
		if err != nil || again != name {
			t.Errorf("what was read is for %q, %v, but what was sent for %q", again, err, name)
		}
	})
}
