package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	apiHost = "api.github.com"
	gitHost = "github.com"
)

// patience is how long one step may take.
const patience = time.Minute

// peer is what requests go through.
type peer struct {
	name     string
	address  string
	connect  bool   // it is a proxy: CONNECT comes before TLS
	secret   string // "user:password" for the CONNECT, "" for none
	roots    *x509.CertPool
	admin    string   // the socket of its metrics, "" for none
	tunnelTo string   // a host and port that is not served
	process  *process // nil for nothing: straight to the GitHub
}

// dial opens a connection to a host, TLS and all.
func (p *peer) dial(ctx context.Context, host string, config *tls.Config) (*tls.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Now().Add(patience))
	if p.connect {
		if err := p.tunnel(raw, host); err != nil {
			raw.Close()
			return nil, err
		}
	}
	config = config.Clone()
	config.RootCAs = p.roots
	if config.ServerName, _, err = net.SplitHostPort(host); err != nil {
		config.ServerName = host
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	raw.SetDeadline(time.Time{})
	return conn, nil
}

// tunnel asks for a tunnel to a host, and reads the answer octet by octet: what
// follows belongs to the tunnel.
func (p *peer) tunnel(conn net.Conn, host string) error {
	if !strings.Contains(host, ":") {
		host += ":443"
	}
	head := fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: %s\r\n", host, host)
	if p.secret != "" {
		head += "Proxy-Authorization: " + basic(p.secret) + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return err
	}
	answer, octet := make([]byte, 0, 256), make([]byte, 1)
	for !bytes.HasSuffix(answer, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(conn, octet); err != nil {
			return fmt.Errorf("CONNECT %s: %w after %q", host, err, answer)
		}
		if answer = append(answer, octet[0]); len(answer) > 8<<10 {
			return errors.New("the answer to CONNECT is too long")
		}
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("CONNECT %s: %q", host, answer)
	}
	return nil
}

// conn is the client's side of HTTP/1.1 on one connection. It costs as little as it
// can, and understands no more than what is sent here.
type conn struct {
	*tls.Conn
	in *bufio.Reader
}

func (p *peer) open(ctx context.Context, host string, config *tls.Config) (*conn, error) {
	c, err := p.dial(ctx, host, config)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 64<<10)}, nil
}

// do sends a request as it is, and returns the length of the answer's body.
func (c *conn) do(request []byte) (int64, error) {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	return c.answer()
}

// answer reads an answer to its end.
func (c *conn) answer() (size int64, err error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		rest, _ := c.in.Peek(c.in.Buffered())
		return 0, fmt.Errorf("the answer is %q\n%s", line, rest)
	}
	length, chunked := int64(-1), false
	for {
		if line, err = c.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	if chunked {
		return c.chunks()
	}
	if length < 0 {
		return 0, errors.New("the answer has no length")
	}
	return length, c.discard(length)
}

func (c *conn) chunks() (size int64, err error) {
	for {
		line, err := c.line()
		if err != nil {
			return size, err
		}
		n, err := strconv.ParseInt(string(line), 16, 64)
		if err != nil {
			return size, err
		}
		if err := c.discard(n); err != nil {
			return size, err
		}
		if _, err := c.line(); err != nil || n == 0 {
			return size, err
		}
		size += n
		c.SetDeadline(time.Now().Add(patience))
	}
}

func (c *conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

func (c *conn) discard(n int64) error {
	for n > 0 {
		d, err := c.in.Discard(int(min(n, 1<<20)))
		if n -= int64(d); err != nil {
			return err
		}
	}
	return nil
}
