package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"ghapp-proxy/grant"
)

// tunnelTo opens a tunnel to a listener that says nothing, with a secret.
func tunnelTo(t *testing.T, w *world, authorization string) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	conn := w.dial(t)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", ln.Addr(), authorization)
	return conn
}

// TestTunnelsEnd: a tunnel is cut when the grant or the token ends by which it was opened.
func TestTunnelsEnd(t *testing.T) {
	w, a := tokens(t, nil)
	g, by := grants(t)
	end := time.Now().Add(3 * time.Second).Truncate(time.Second)
	for name, conn := range map[string]net.Conn{
		"token": tunnelTo(t, w, "Bearer "+a.job("exp", end.Unix())),
		"grant": tunnelTo(t, g, "Bearer "+by.make(t, grant.Caveats{Expires: end.Unix()}).Text()),
	} {
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		if text, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(text, []byte("HTTP/1.1 200 ")) || time.Now().Before(end) {
			t.Errorf("a tunnel by a %s ended at %v with %q, %v; want %v", name, time.Now(), text, err, end)
		}
	}
}

// TestTunnelsArePaced: tunnels count as requests of a minute, of all links of a grant.
func TestTunnelsArePaced(t *testing.T) {
	w, by := grants(t)
	g := by.make(t, grant.Caveats{RequestsPerMinute: 12}) // two at once
	less, err := g.Narrow(grant.Caveats{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 429"} {
		conn := tunnelTo(t, w, "Bearer "+[]string{g.Text(), less.Text(), less.Text()}[i])
		head := make([]byte, len(want))
		if _, err := io.ReadFull(conn, head); err != nil || string(head) != want {
			t.Errorf("tunnel %d: %q, %v; want %q", i+1, head, err, want)
		}
	}
}

// TestConnectionsEnd: the first request after the end of a grant or a token is refused, and
// the connection is closed with it.
func TestConnectionsEnd(t *testing.T) {
	w, a := tokens(t, nil)
	g, by := grants(t)
	end := time.Now().Add(3 * time.Second).Truncate(time.Second)
	clients := map[string]*http.Client{}
	for _, h2 := range []bool{false, true} {
		clients[fmt.Sprint("token ", h2)] = w.clientAs(t, "ci", a.job("exp", end.Unix()), h2)
		clients[fmt.Sprint("grant ", h2)] = g.clientAs(t, "agent", by.make(t, grant.Caveats{Expires: end.Unix()}).Text(), h2)
	}
	ask := func(client *http.Client) (status int, again bool) {
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { again = info.Reused }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", grantedURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, again // the CONNECT of a new connection is refused
		}
		bodyOf(t, resp)
		resp.Body.Close()
		return resp.StatusCode, again
	}
	for name, client := range clients {
		if status, _ := ask(client); status != 200 {
			t.Errorf("%s before its end: %d", name, status)
		}
	}
	time.Sleep(time.Until(end) + 50*time.Millisecond)
	for name, client := range clients {
		if status, again := ask(client); status != 403 && again {
			t.Errorf("%s after its end: %d", name, status)
		}
		w.eventually(t, "a new connection, "+name, func() bool { _, again := ask(client); return !again })
	}
}
