package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/certs"
	"ghapp-proxy/grant"
	"ghapp-proxy/policy"
)

// ownFront is what clients meet that speak TLS, as "localhost".
func ownFront(t *testing.T, auth tls.ClientAuthType) *front {
	t.Helper()
	ca, err := certs.New(certs.Spec{Instance: "ghapp-proxy", Hosts: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	return &front{
		config: &tls.Config{ClientAuth: auth, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Certificate("localhost") }},
		failed: func(net.Conn, error) {},
	}
}

// TestSlowHandshake: who does not come to the end of a handshake is closed in time, and
// what is sent in it counts.
func TestSlowHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		all := new(arrivals)
		d := &door{form: FormTLS, front: ownFront(t, tls.NoClientCert), arrivals: all}
		c := d.arrive(&clientConn{Conn: ours, form: FormTLS})
		ended := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 100))
			ended <- err
		}()
		began := time.Now()
		hello := []byte{22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc} // of sixteen KiB, of which little comes
		theirs.Write(hello)
		for range 10 {
			theirs.Write([]byte{0})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if all.sent < len(hello)+10 {
			t.Errorf("of %d octets %d count", len(hello)+10, all.sent)
		}
		if err := <-ended; !errors.Is(err, errHandshake) || time.Since(began) != headTimeout {
			t.Errorf("after %v it ends with %v", time.Since(began), err)
		}
		c.Close()
		if all.n != 0 || all.sent != 0 {
			t.Errorf("%d are left, which have sent %d", all.n, all.sent)
		}
	})
}

// TestHandshakeCountsOnce: when a handshake is over nothing of it is held any more.
func TestHandshakeCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		all := new(arrivals)
		d := &door{form: FormBoth, front: ownFront(t, tls.NoClientCert), arrivals: all}
		c := d.arrive(&clientConn{Conn: ours, form: FormBoth})
		go func() {
			secure := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
			secure.Write([]byte("hello"))
		}()
		if n, err := c.Read(make([]byte, 100)); n != 5 || err != nil || all.sent != 5 {
			t.Errorf("%d octets came, %v, and %d count", n, err, all.sent)
		}
		now := time.Now()
		closeNow(c.Conn) // does not wait for somebody who takes nothing
		if waited := time.Since(now); waited > 0 {
			t.Errorf("it takes %v to close it", waited)
		}
		if _, err := c.Write([]byte("x")); err == nil {
			t.Error("it is open")
		}
		c.identified()
	})
}

func ofOne(c *policy.Client) *policy.Set {
	set, _ := policy.NewSet([]*policy.Client{c})
	return set
}

// TestCertificateEnds: what begins after a certificate has ended is refused, and a
// connection lasts no longer than it.
func TestCertificateEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"agent"},
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		by := &policy.Certificate{RootsPEM: roots, Roots: x509.NewCertPool(), DNS: "agent"}
		by.Roots.AppendCertsFromPEM(roots)
		now := newState(Policy{Clients: ofOne(&policy.Client{Name: "agent", Certificate: by})}, nil, nil)

		ours, theirs := net.Pipe()
		defer theirs.Close()
		d := &door{form: FormTLS, front: ownFront(t, tls.RequestClientCert), arrivals: new(arrivals)}
		c := d.arrive(&clientConn{Conn: ours, form: FormTLS})
		defer c.Close()
		go func() {
			secure := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
			secure.Write([]byte("hello"))
		}()
		if _, err := c.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		presented := evidence{peer: &peer{conn: c}}
		told, refused, ok := now.byCertificate(presented)
		if !ok || refused != nil || told.client.Name != "agent" {
			t.Fatalf("it is %+v, %v, %v", told, refused, ok)
		}
		who, _ := now.caller(told)
		if left, ends := who.endsIn(time.Now()); !ends || left != time.Hour {
			t.Errorf("a connection lasts %v", left)
		}
		held := who.by(proof{grant: &grant.Held{Client: told.client, Expires: time.Now().Add(time.Minute)}, until: told.until})
		if left, ends := held.endsIn(time.Now()); !ends || left != time.Minute {
			t.Errorf("with a grant of a minute a connection lasts %v", left)
		}
		held = who.by(proof{grant: &grant.Held{Client: told.client, Expires: time.Now().Add(2 * time.Hour)}, until: told.until})
		if left, ends := held.endsIn(time.Now()); !ends || left != time.Hour {
			t.Errorf("with a grant of two hours a connection lasts %v", left)
		}
		for age, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, 2 * time.Hour: time.Hour} {
			aged := newState(Policy{Clients: ofOne(&policy.Client{Name: "agent", Certificate: by, Limits: policy.Limits{MaxConnectionAge: age}})}, nil, nil)
			who, _ := aged.caller(told)
			if left, ends := who.endsIn(time.Now()); !ends || left != want {
				t.Errorf("with max_connection_age %v a connection lasts %v", age, left)
			}
		}
		if refused := who.stillGood(); refused != nil {
			t.Error(refused)
		}
		// After a change, what was found out of the certificate before does not count.
		for _, next := range []*policy.Client{{Name: "agent"}, {Name: "agent", Certificate: &policy.Certificate{RootsPEM: roots, Roots: by.Roots, DNS: "another"}}} {
			later := newState(Policy{Clients: ofOne(next)}, nil, nil)
			if told, refused, ok := later.byCertificate(presented); ok != (next.Certificate != nil) || ok != (refused != nil) || told.client != nil {
				t.Errorf("after a change it is %+v, %v, %v", told, refused, ok)
			}
		}
		time.Sleep(time.Hour)
		if _, refused, ok = now.byCertificate(presented); !ok || refused == nil || refused.Status != http.StatusForbidden {
			t.Errorf("an hour later: %v %v", refused, ok)
		}
		if refused := who.stillGood(); refused == nil {
			t.Error("a request that begins an hour later is served")
		}
	})
}
