package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"ghapp-proxy/policy"
)

// A host may log in a connection (NTLM does) and not a request, so that no
// connection to it may serve two clients, or two programs of one.
func TestConnectionsElsewhereAreNotShared(t *testing.T) {
	var count atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.RemoteAddr)
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			count.Add(1)
		case http.StateClosed:
			count.Add(-1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	one, other := policy.NewSecret(), policy.NewSecret()
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t,
			&policy.Client{Name: "one", Secret: policy.HashSecret(one)},
			&policy.Client{Name: "other", Secret: policy.HashSecret(other)})
	})
	ask := func(conn net.Conn, r *bufio.Reader, method, authorization string) string {
		t.Helper()
		fmt.Fprintf(conn, "%s %s/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\nContent-Length: 0\r\n\r\n", method, srv.URL, authorization)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%d %s, %v", resp.StatusCode, body, err)
		}
		return string(body)
	}
	first := w.dial(t)
	r := bufio.NewReader(first)
	logged := ask(first, r, "GET", basicAuth("one", one))
	if got := ask(first, r, "POST", basicAuth("one", one)); got != logged {
		t.Errorf("the client's connection goes on at %s, and began at %s: what it logged in is lost", got, logged)
	}
	second := w.dial(t)
	if got := ask(second, bufio.NewReader(second), "GET", basicAuth("other", other)); got == logged {
		t.Error("another client got the connection")
	}
	third := w.dial(t)
	if got := ask(third, bufio.NewReader(third), "GET", basicAuth("one", one)); got == logged {
		t.Error("another connection of the client's got the connection")
	}
	// One more proxy may send several clients' requests over one connection.
	if got := ask(first, r, "GET", basicAuth("other", other)); got == logged {
		t.Error("another client on the same connection got the connection")
	}
	// So may what several of them share: nobody knows whom another name stands for.
	open := start(t, nil).dial(t)
	r = bufio.NewReader(open)
	logged = ask(open, r, "GET", basicAuth("a", "x"))
	if got := ask(open, r, "GET", basicAuth("b", "x")); got == logged {
		t.Error("another name on the same connection got the connection")
	}
	for _, conn := range []net.Conn{first, second, third, open} {
		conn.Close()
	}
	waitFor(t, func() bool { return count.Load() == 0 }, "the end of the connections with the clients'")
}
