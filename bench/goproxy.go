package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"ghapp-proxy/internal/freeport"

	"github.com/elazarl/goproxy"
)

// goproxyCommand makes this program a proxy of goproxy's own kind: its interception, one
// handler that sets the field, certificates that are made once, and a pool that is
// large enough. It decides nothing, and logs nothing.
const goproxyCommand = "goproxy"

// runGoproxy serves until it is ended. Its arguments are an address, the GitHub's, the
// file of its CA, and the file to write what clients must trust to.
func runGoproxy(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("usage: %s ADDRESS GITHUB CA OWN-CA", goproxyCommand)
	}
	github, roots := args[1], x509.NewCertPool()
	text, err := os.ReadFile(args[2])
	if err != nil || !roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("read the GitHub's CA: %w", err)
	}
	ca, err := newInterceptor()
	if err != nil {
		return err
	}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]})
	if err := os.WriteFile(args[3], own, 0o600); err != nil {
		return err
	}
	proxy := goproxy.NewProxyHttpServer()
	proxy.CertStore = new(certificateStore)
	proxy.Tr = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)}, MaxIdleConnsPerHost: 512, DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, github)
		},
	}
	intercept := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(ca)}
	proxy.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) { return intercept, host })
	proxy.OnRequest().DoFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		r.Header.Set("Authorization", "Bearer "+token)
		return r, nil
	})
	server := &http.Server{Addr: args[0], Handler: proxy, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

// newInterceptor is a CA that lives as long as the process.
func newInterceptor() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "goproxy"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// certificateStore is goproxy's CertStorage.
type certificateStore struct{ byHost sync.Map }

// Fetch implements goproxy.CertStorage.
func (s *certificateStore) Fetch(host string, make func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	if cert, ok := s.byHost.Load(host); ok {
		return cert.(*tls.Certificate), nil
	}
	cert, err := make()
	if err == nil {
		s.byHost.Store(host, cert)
	}
	return cert, err
}

// startGoproxy starts it.
func (l *lab) startGoproxy(ctx context.Context) (*peer, error) {
	address, err1 := freeport.Find()
	self, err2 := os.Executable()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	own := filepath.Join(l.dir, "goproxy.pem")
	process, err := startProcess(exec.Command(self, goproxyCommand, address, l.github, l.pki.ca, own))
	if err != nil {
		return nil, err
	}
	if err := listens(ctx, process, address); err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(own)
	if err != nil {
		return nil, err
	}
	roots := l.pki.roots.Clone()
	roots.AppendCertsFromPEM(ca)
	return &peer{name: goproxyCommand, address: address, connect: true, roots: roots, process: process}, nil
}
