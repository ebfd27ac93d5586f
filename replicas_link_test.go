//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// link is a way to the store that can be cut.
type link struct {
	addr, to string

	mu    sync.Mutex
	isCut bool
	open  map[net.Conn]bool
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: ln.Addr().String(), to: to, open: make(map[net.Conn]bool)}
	t.Cleanup(func() { ln.Close(); l.cut(true) })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
	return l
}

// carry carries a connection until it ends, or is cut.
func (l *link) carry(conn net.Conn) {
	defer conn.Close()
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	l.mu.Lock()
	isCut := l.isCut
	l.open[conn], l.open[far] = true, true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, conn)
		delete(l.open, far)
	}()
	if isCut {
		return
	}
	go func() { io.Copy(far, conn); far.Close() }()
	io.Copy(conn, far)
}

// cut cuts the way, or mends it.
func (l *link) cut(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut = is; is {
		for conn := range l.open {
			conn.Close()
		}
	}
}

// selfSigned is a CA and its key, in one PEM.
func selfSigned() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of the fleet"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), nil
}

func waitToListen(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody listens on %s", address)
		}
	}
}

// startWithText is start with a configuration that is given.
func (l *load) startWithText(t *testing.T, name string, config []byte) *process {
	t.Helper()
	file := filepath.Join(l.dir, name)
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return l.start(t, file)
}

func logOf(t *testing.T, p *process) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func envDuration(t *testing.T, name string, byDefault time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
