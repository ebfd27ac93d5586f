package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
)

// newFront returns that of a proxy. Sessions are not resumed: whether a client's
// certificate is good is found out each time, by what is in force.
func (p *Proxy) newFront() *front {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if own := p.current.Load().parts.OwnCertificate; own != nil {
				return own(hello.ServerName)
			}
			return nil, errors.New("the proxy has no certificate of its own")
		},
	}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		roots := p.current.Load().Clients.Roots()
		if roots == nil {
			return nil, nil
		}
		asking := base.Clone()
		asking.ClientAuth, asking.ClientCAs = tls.RequestClientCert, roots // which are for the client to choose by: see byCertificate
		return asking, nil
	}
	return &front{base, p.noteFront}
}

// noteFront logs a client with which there is no TLS.
func (p *Proxy) noteFront(conn net.Conn, err error) {
	level, from := slog.LevelDebug, conn.RemoteAddr().String()
	if !errors.Is(err, io.EOF) && p.handshakes.allow(networkOf(from).String()+" handshake") {
		level = slog.LevelWarn
	}
	p.opts.Log.Log(context.Background(), level, "a TLS handshake of a client with the proxy failed", "client", from, "error", err,
		"remedy", "the client must trust the certificate of the proxy, name it as the certificate does, and speak TLS 1.2 or 1.3")
}
