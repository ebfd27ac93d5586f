package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"
)

// TestWithoutConnect: a client that says nothing before its ClientHello is served
// by the host that this names.
func TestWithoutConnect(t *testing.T) {
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	defer host.Close()
	var log syncBuffer
	p := New(Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Configuration: Configuration{
			Hosts:       github.GitHubCom.Hosts(),
			Upstream:    NewUpstream(UpstreamOptions{Egress: &policy.Egress{DenyUnlisted: true, Allow: pattern(t, "host.example.com")}, ConnectTo: map[string]string{"host.example.com:443": host.Listener.Addr().String()}}),
			Certificate: func(string) (*tls.Certificate, error) { return &host.TLS.Certificates[0], nil },
		}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	defer func() {
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-served
	}()

	bySNI, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer bySNI.Close()
	how := entrance{refuse: func(client net.Conn, refused *answer.Refusal) { client.Write(accessDenied) }}
	go func() {
		for {
			conn, err := bySNI.Accept()
			if err != nil {
				return
			}
			go func() {
				name, read, err := readHello(conn)
				if err != nil {
					t.Error(err)
					return
				}
				lease := p.use()
				defer lease.release()
				c, _ := lease.caller(told{})
				by := evidence{peer: &peer{conn: conn}}
				if refused := p.count(t.Context(), by, &c); refused != nil {
					t.Error(refused)
					return
				}
				decided := p.decideHost(&lease, name+":443", c, how)
				if decided.refused != nil {
					how.refuse(conn, decided.refused)
					conn.Close()
					return
				}
				decided.serve(t.Context(), unread(conn, read))
			}()
		}
	}()

	for name, want := range map[string]string{
		"host.example.com":  "418 I'm a teapot",
		"api.github.com":    "403 Forbidden", // TRACE is the gateway's to refuse
		"other.example.com": "access denied",
	} {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				return tls.Dial("tcp", bySNI.Addr().String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
			},
		}}
		req, err := http.NewRequest(http.MethodTrace, "https://"+name+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if resp, err := client.Do(req); err != nil {
			got = err.Error()
		} else {
			got = resp.Status
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		client.CloseIdleConnections()
		if !strings.Contains(got, want) {
			t.Errorf("TRACE https://%s/ = %s, want %s", name, got, want)
		}
	}
}
