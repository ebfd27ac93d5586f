package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"ghapp-proxy/policy"
)

const (
	// helloTimeout is how long a client may take to send its ClientHello.
	helloTimeout = 10 * time.Second
	// maxHello bounds what is read of a client to see its ClientHello, record
	// headers included. Hellos are below 2 KiB, with post-quantum keys too.
	maxHello = 32 << 10
)

// checkHello reads the ClientHello that a tunnel begins with and sees that it
// is for the host that the client asked for: where egress is limited, the name
// in the CONNECT must not be a pretence. It returns the client with the hello
// put back. The client of a tunnel that is not to be used gets an alert.
//
// With Encrypted Client Hello (RFC 9849) the name is that of the outer hello.
// It is not refused, since clients without a key to encrypt with send the
// extension all the same, so that nobody can tell the difference.
func (t *tunnel) checkHello(to policy.Destination) (net.Conn, error) {
	patience := min(helloTimeout, time.Duration(t.patience.Load()))
	if err := t.client.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	name, read, err := readHello(t.client)
	if err != nil {
		if _, notTLS := errors.AsType[tls.RecordHeaderError](err); !notTLS {
			sendAlert(t.client)
		}
		return nil, fmt.Errorf("read the ClientHello of a tunnel to port 443: %w", err)
	}
	if err := checkServerName(to, name); err != nil {
		sendAlert(t.client)
		return nil, err
	}
	return unread(t.client, read), nil
}

// helloError says why a tunnel is not used.
type helloError struct{ error }

// Unwrap returns the cause.
func (e *helloError) Unwrap() error { return e.error }

// accessDenied is the fatal alert access_denied in a record of its own
// (RFC 8446, sections 5.1 and 6.2). Clients print its name.
var accessDenied = []byte{21, 3, 3, 0, 2, 2, 49}

// sendAlert tells a client why its connection is to be closed, and waits a moment
// for the client to close it first: data that arrives later would make the
// kernel take the alert back.
func sendAlert(client net.Conn) {
	client.SetDeadline(time.Now().Add(time.Second))
	if _, err := client.Write(accessDenied); err != nil {
		return // nobody is there to be told
	}
	if closeWrite(client) == nil {
		io.CopyN(io.Discard, client, maxHello)
	}
}

var errHelloRead = errors.New("the ClientHello has been read")

// readHello reads the TLS ClientHello that conn begins with, in whatever
// fragments. It returns the server name in it, "" if there is none, and what it
// has read, which may be more than the hello.
func readHello(conn io.Reader) (serverName string, read []byte, err error) {
	in := &helloConn{in: conn}
	err = tls.Server(in, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		serverName = hello.ServerName
		return nil, errHelloRead
	}}).Handshake()
	if !errors.Is(err, errHelloRead) {
		return "", nil, err
	}
	return serverName, in.read, nil
}

// helloConn is a connection as crypto/tls sees it: what is read is kept, what
// is written goes nowhere.
type helloConn struct {
	net.Conn // nil: reading a ClientHello takes nothing else
	in       io.Reader
	read     []byte
}

func (c *helloConn) Read(p []byte) (int, error) {
	room := maxHello - len(c.read)
	if room == 0 {
		return 0, fmt.Errorf("no ClientHello within %d bytes", maxHello)
	}
	n, err := c.in.Read(p[:min(len(p), room)])
	c.read = append(c.read, p[:n]...)
	return n, err
}

func (c *helloConn) Write(p []byte) (int, error) { return len(p), nil }

func (c *helloConn) SetWriteDeadline(time.Time) error { return nil }
func (c *helloConn) Close() error                     { return nil }
