package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki is a CA that lives as long as the measurement, and one certificate of
// GitHub's names.
type pki struct {
	ca, cert, key string // PEM files
	appKey        string // of the App
	roots         *x509.CertPool
}

func newPKI(dir string) (*pki, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	appKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, DNSNames: []string{apiHost, gitHost}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err1 := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	leafDER, err2 := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	keyDER, err3 := x509.MarshalECPrivateKey(leafKey)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	p := &pki{roots: x509.NewCertPool()}
	root, err := x509.ParseCertificate(caDER)
	if err != nil {
		return nil, err
	}
	p.roots.AddCert(root)
	write := func(name, kind string, der []byte) (file string) {
		file = filepath.Join(dir, name)
		err = errors.Join(err, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return file
	}
	p.ca = write("ca.pem", "CERTIFICATE", caDER)
	p.cert = write("leaf.pem", "CERTIFICATE", leafDER)
	p.key = write("leaf.key", "EC PRIVATE KEY", keyDER)
	p.appKey = write("app.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(appKey))
	return p, err
}
