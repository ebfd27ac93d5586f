package proxy_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/proxy"
)

// isOpen reports whether a tunnel still carries something, to a host that echoes.
func isOpen(conn net.Conn) bool {
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	word := []byte("word")
	if _, err := conn.Write(word); err != nil {
		return false
	}
	_, err := io.ReadFull(conn, word)
	return err == nil
}

// TestReplaceEgress: a tunnel goes on where the new policy lets it, and ends where that
// does not.
func TestReplaceEgress(t *testing.T) {
	hosts := make([]string, 2)
	for i := range hosts {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		hosts[i] = ln.Addr().String()
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					io.Copy(conn, conn)
				}()
			}
		}()
	}
	w := start(t, func(s *setup) { s.upstream.Egress = egress(t, true, hosts[0]+" "+hosts[1], "") })
	kept, _ := w.connect(t, hosts[0])
	gone, _ := w.connect(t, hosts[1])
	if !isOpen(kept) || !isOpen(gone) {
		t.Fatal("a tunnel carries nothing")
	}
	next := w.proxy.Configured()
	next.Upstream = proxy.NewUpstream(proxy.UpstreamOptions{Egress: egress(t, true, hosts[0], "")})
	defer next.Upstream.Close()
	if ended := w.proxy.Replace(next); ended != 1 {
		t.Errorf("%d connections ended, want one", ended)
	}
	if !isOpen(kept) {
		t.Error("a tunnel ended that is allowed")
	}
	if isOpen(gone) {
		t.Error("a tunnel goes on that is not allowed")
	}
}

// TestReplaceHosts: connections to a host that is not served any more end, others go on.
func TestReplaceHosts(t *testing.T) {
	w := start(t, nil)
	api, raw := w.intercepted(t, "api.github.com", nil), w.intercepted(t, "raw.githubusercontent.com", nil)
	next := w.proxy.Configured()
	next.Hosts = nil
	for _, host := range github.GitHubCom.Hosts() {
		if host.Name != "raw.githubusercontent.com" {
			next.Hosts = append(next.Hosts, host)
		}
	}
	if ended := w.proxy.Replace(next); ended != 1 {
		t.Errorf("%d connections ended, want one", ended)
	}
	if _, err := raw.Read(make([]byte, 1)); err == nil {
		t.Error("the connection to a host that is not served goes on")
	}
	if _, err := api.Write([]byte("GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Read(make([]byte, 1)); err != nil {
		t.Errorf("the connection to a host that is served: %v", err)
	}
}

// TestReplacedAfterLastRequest: what a request began with is there until its end.
func TestReplacedAfterLastRequest(t *testing.T) {
	w := start(t, nil)
	arrived, finish := make(chan struct{}), make(chan struct{})
	w.github.Handle("api.github.com", "/slow", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-finish
	}))
	before := w.proxy.Configured()
	replaced := make(chan struct{})
	marked := before
	marked.Replaced = func() { close(replaced) }
	w.proxy.Replace(marked)
	answered := make(chan error, 1)
	client := w.client(t, true)
	go func() {
		resp, err := client.Get("https://api.github.com/slow")
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	<-arrived
	w.proxy.Replace(before)
	select {
	case <-replaced:
		t.Error("it is given back while a request uses it")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	select {
	case <-replaced:
	case <-time.After(10 * time.Second):
		t.Error("it is not given back when its last request has ended")
	}
}
