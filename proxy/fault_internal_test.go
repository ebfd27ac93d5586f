package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/panics"
)

// faultyConn is a connection whose reads panic.
type faultyConn struct{ net.Conn }

func (faultyConn) Read([]byte) (int, error) { explode(); return 0, nil }

// TestFaultInTunnel: a fault in one half ends both, and nothing else.
func TestFaultInTunnel(t *testing.T) {
	for _, faulty := range []string{"client", "host"} {
		client, mine := net.Pipe()
		host, theirs := net.Pipe()
		tn := &tunnel{client: client, host: host}
		tn.patience.Store(int64(time.Hour))
		if faulty == "client" {
			tn.client = faultyConn{client}
		} else {
			tn.host = faultyConn{host}
		}
		_, _, err := tn.copy(tn.client)
		fault, ok := errors.AsType[*panics.Fault](err)
		if !ok || !strings.Contains(string(fault.Stack), "proxy.explode") {
			t.Errorf("%s: %v, want the fault", faulty, err)
		}
		for _, end := range []net.Conn{mine, theirs} {
			if _, err := end.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: a connection goes on: %v", faulty, err)
			}
		}
	}
}

// TestFaultInHandshake ends the connection.
func TestFaultInHandshake(t *testing.T) {
	var text syncBuffer
	p := New(Options{
		Log:           slog.New(slog.NewTextHandler(&text, nil)),
		Configuration: Configuration{Upstream: NewUpstream(UpstreamOptions{}), Certificate: func(string) (*tls.Certificate, error) { explode(); return nil, nil }},
	})
	client, conn := net.Pipe()
	usage := p.current.Load().callers[""].usage
	s := session{host: github.Host{Name: "api.github.com"}}
	s.usage, s.slot = usage, &slot{usage: usage}
	go p.handshake(&interceptedConn{Conn: conn, session: s})
	client.SetDeadline(time.Now().Add(10 * time.Second))
	if err := tls.Client(client, &tls.Config{ServerName: "api.github.com"}).Handshake(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("handshake: %v, want the connection's end", err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(text.String(), "proxy.explode"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say where the fault was:\n%s", text.String())
		}
	}
	if !strings.Contains(text.String(), "level=ERROR") {
		t.Errorf("the log has no error:\n%s", text.String())
	}
}

// TestFaultInDial: transports dial in goroutines of their own.
func TestFaultInDial(t *testing.T) {
	u := NewUpstream(UpstreamOptions{})
	_, err := u.dialHost(t.Context(), "api.github.com:443", func() (net.Conn, error) { explode(); return nil, nil })
	if _, ok := errors.AsType[*panics.Fault](err); !ok {
		t.Errorf("%v, want the fault", err)
	}
	refused := upstreamRefusal(err, "api.github.com")
	if refused.Status != 500 || strings.Contains(refused.Message(), "SECRET") || !strings.Contains(refused.Error(), "SECRET") {
		t.Errorf("answer %d %q, in the log %q", refused.Status, refused.Message(), refused.Error())
	}
}

// TestFaultOfClosedEnd: a request whose connection net/http closes under it, since
// the host has ended it, is lost like others.
func TestFaultOfClosedEnd(t *testing.T) {
	for _, err := range []error{
		net.ErrClosed, // crypto/tls
		&net.OpError{Op: "write", Net: "tcp", Err: net.ErrClosed},
		&net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed},
	} {
		if got := faultOf(err); got != answer.ConnectionTerminated || !isLost(err) {
			t.Errorf("%v is %s, lost %v; want %s", err, got, isLost(err), answer.ConnectionTerminated)
		}
	}
}
