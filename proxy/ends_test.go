package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"ghapp-proxy/grant"
)

// TestEndsAfterCurrent: what is under way when a grant or a token ends comes to its end, and
// its connection with it; a tunnel is cut.
func TestEndsAfterCurrent(t *testing.T) {
	w, a := tokens(t, nil)
	entered, goOn := make(chan struct{}), make(chan struct{})
	w.github.Handle("api.github.com", "/repos/acme/widgets", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-goOn
		io.WriteString(rw, "late")
	}))
	aim, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer aim.Close()
	idle := w.dial(t) // whose token is good for longer
	io.WriteString(idle, "GET http://api.github.com/repos/acme/widgets/issues HTTP/1.1\r\nHost: api.github.com\r\nProxy-Authorization: Bearer "+a.job()+"\r\n\r\n")
	readHead(t, bufio.NewReader(idle))
	for name, make := range map[string]func(end time.Time) string{
		"token": func(end time.Time) string { return a.job("exp", end.Unix()) },
		"grant": func(end time.Time) string {
			swapped := w.swap(t, a.job("jti", end.String()), jwtType, "scope", fmt.Sprintf("ttl:%ds", int(time.Until(end).Seconds())+1))
			g, err := grant.Parse(swapped.Token)
			if err != nil || g.Expires().After(end.Add(time.Second)) {
				t.Fatal(swapped, err)
			}
			return swapped.Token
		},
	} {
		end := time.Now().Truncate(time.Second).Add(3 * time.Second)
		text := make(end)
		field := "Proxy-Authorization: Bearer " + text + "\r\n"
		tunnel := w.dial(t)
		fmt.Fprintf(tunnel, "CONNECT %s HTTP/1.1\r\nHost: x\r\n%s\r\n", aim.Addr(), field)

		plain := w.dial(t)
		io.WriteString(plain, "GET http://api.github.com/repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n"+field+"\r\n")
		<-entered
		inner := w.dial(t)
		fmt.Fprintf(inner, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: x\r\n%s\r\n", field)
		if resp, err := http.ReadResponse(bufio.NewReader(inner), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		secure := tls.Client(inner, &tls.Config{RootCAs: w.roots, ServerName: "api.github.com"})
		io.WriteString(secure, "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n\r\n")
		<-entered

		if heard, err := io.ReadAll(tunnel); !bytes.HasPrefix(heard, []byte("HTTP/1.1 200 ")) || time.Now().Before(end) {
			t.Errorf("%s: a tunnel ends with %q, %v, %v before its end", name, heard, err, time.Until(end))
		}
		if w.proxy.EndSpent() > 0 {
			t.Errorf("%s: what is under way is cut", name)
		}
		for range 2 {
			goOn <- struct{}{}
		}
		rests := map[string]io.Reader{}
		for way, conn := range map[string]net.Conn{"http://": plain, "CONNECT": secure} {
			r := bufio.NewReader(conn)
			rests[way] = r
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(name, way, err)
			}
			if text, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(text) != "late" || err != nil {
				t.Errorf("%s, %s: what was under way: %s %q, %v", name, way, resp.Status, text, err)
			}
		}
		ended := 0
		w.eventually(t, "the end of both connections", func() bool { ended += w.proxy.EndSpent(); return ended == 2 })
		for way, r := range rests {
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil && err != io.ErrUnexpectedEOF { // TLS wants a farewell
				t.Errorf("%s, %s: after it comes %q, %v", name, way, rest, err)
			}
		}
	}
}
