package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/certs"
	"ghapp-proxy/config"
)

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func TestWatchExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := &config.Config{Live: config.Live{Apps: []*auth.App{{Instance: "github.com"}}, StateDir: t.TempDir(), CA: config.CA{NameConstraints: true}}}
		cas, err := openAuthorities(cfg, onDisk(cfg))
		if err != nil {
			t.Fatal(err)
		}
		var said lockedBuffer
		warnings := func() int { return strings.Count(said.String(), "level=WARN") }
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan bool)
		go func() {
			watchExpiry(ctx, func() *authorities { return cas }, func() *tls.Certificate { return nil }, slog.New(slog.NewTextHandler(&said, nil)))
			close(ended)
		}()
		time.Sleep(certs.AuthorityLifetime - certs.Notice - time.Hour)
		synctest.Wait()
		if warnings() != 0 {
			t.Errorf("more than 30 days before the end: %s", &said)
		}
		time.Sleep(3*24*time.Hour + time.Minute)
		synctest.Wait()
		if warnings() != 3 {
			t.Errorf("%d warnings in three days:\n%s", warnings(), &said)
		}
		for _, text := range []string{"the CA expires soon, on 2004-12-30", "ca/github.com.key", "run `ghapp-proxy ca --renew`"} {
			if !strings.Contains(said.String(), text) {
				t.Errorf("no %q in %s", text, &said)
			}
		}
		before := warnings()
		again, stop := context.WithCancel(t.Context())
		stop()
		watchExpiry(again, func() *authorities { return cas }, func() *tls.Certificate { return nil }, slog.New(slog.NewTextHandler(&said, nil))) // a start
		if warnings() != before+1 {
			t.Errorf("%d warnings at a start, want one", warnings()-before)
		}
		end()
		<-ended // or the test never ends
	})
}

// endingCA is a CA that ends in ten days, and its key.
func endingCA(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ending"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(10 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

// TestRunWarnsOfExpiry: whoever starts a command is told as well.
func TestRunWarnsOfExpiry(t *testing.T) {
	w := newWorld(t)
	w.write(t, "ca.pem", endingCA(t))
	t.Setenv("SSL_CERT_FILE", w.dir+"/ca.pem") // the machine may have no certificates
	path := w.configure(t, "", "", "[ca]\ncert_file = \"ca.pem\"\nkey_file = \"ca.pem\"")
	var out bytes.Buffer
	if status := Run(t.Context(), []string{"run", "-c", path, "--", "true"}, &out, &out); status != 0 || !strings.Contains(out.String(), "ghapp-proxy: warning: "+w.dir+"/ca.pem: the CA expires soon, on ") {
		t.Errorf("status %d: %s", status, &out)
	}
}
