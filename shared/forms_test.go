//go:build unix

package shared_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/internal/freeport"
	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"
)

// replicasAt are two replicas' stores at a URL.
func replicasAt(t *testing.T, url string, roots *x509.CertPool) (one, other *shared.Store) {
	t.Helper()
	for _, s := range []**shared.Store{&one, &other} {
		var err error
		if *s, err = shared.Open(shared.Options{URL: url, Roots: roots, Prefix: "ghapp-proxy:", Patience: 5 * time.Second, Timeout: 5 * time.Second}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*s).Close() })
	}
	return one, other
}

// useAll does all that replicas do with a store, whatever form that has, and fails the test where one does not see of it
// what another should.
func useAll(t *testing.T, one, other *shared.Store) {
	t.Helper()
	if said, err := one.Test(t.Context()); err != nil {
		t.Fatalf("Test: %q, %v", said, err)
	}
	for i := range 20 { // in all slots
		key := fmt.Sprint("key ", i)
		got, done := one.Claim(t.Context(), key, 0)
		if got != nil || done == nil {
			t.Fatalf("Claim = %q, %v", got, done != nil)
		}
		done(value(1, key), time.Minute)
		if got, _ := other.Claim(t.Context(), key, 0); string(got) != string(value(1, key)) {
			t.Fatalf("the other has %q", got)
		}
		if may, ok := other.Replace(t.Context(), key, 1, time.Minute); !may || !ok || one.Get(t.Context(), key) != nil {
			t.Fatalf("Replace = %v, %v", may, ok)
		}
		sums, err := other.Count(t.Context(), map[string]int64{key: 2, "all": 3})
		if err != nil || sums[key] != 2 || sums["all"] != int64(3*(i+1)) {
			t.Fatalf("Count = %v, %v", sums, err)
		}
	}
	a, b := one.Set("things", nil), other.Set("things", nil)
	a.Add(map[string]time.Time{"x": time.Now().Add(time.Hour)})
	eventually(t, "the other knows what is in a set", func() bool { return b.Has("x") })
	heard := make(chan string, 100)
	other.Hear("topic", func(says []byte) { heard <- string(says) })
	eventually(t, "the other hears", func() bool {
		one.Tell("topic", []byte("hello"))
		select {
		case text := <-heard:
			return text == "hello"
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
	if st := one.Stats(); st.Away || st.Lost > 0 {
		t.Errorf("Stats = %+v", st)
	}
}

// documentedACL is what docs/replicas.md says to allow.
func documentedACL(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/replicas.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "ACL SETUSER ")
	line, _, found := strings.Cut(rest, "\n")
	if !found {
		t.Fatal("docs/replicas.md has no user")
	}
	return strings.Fields(strings.Replace(line, ">PASSWORD", ">secret", 1))
}

// TestFormACL: the user that is documented may do all that is needed, and nothing with what is not the proxies'.
func TestFormACL(t *testing.T) {
	server := redistest.Start(t)
	server.Do(append([]string{"ACL", "SETUSER"}, documentedACL(t)...)...)
	url := strings.Replace(server.URL(), "//", "//ghapp-proxy:secret@", 1)
	one, other := replicasAt(t, url, nil)
	useAll(t, one, other)
	foreign, err := shared.Open(shared.Options{URL: url, Prefix: "other:"})
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	if _, err := foreign.Test(t.Context()); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("with another prefix: %v", err)
	}
}

// TestFormTLS: over TLS with a CA of its own, and not without that CA, nor for another name.
func TestFormTLS(t *testing.T) {
	dir := t.TempDir()
	roots := writePair(t, dir)
	port := freeport.Port(t)
	server := redistest.New(t, "--port", "0", "--tls-port", port, "--tls-cert-file", filepath.Join(dir, "pair.pem"), "--tls-key-file", filepath.Join(dir, "pair.pem"),
		"--tls-ca-cert-file", filepath.Join(dir, "pair.pem"), "--tls-auth-clients", "no", "--requirepass", "secret")
	server.Addr = "127.0.0.1:" + port
	server.Run()
	url := "rediss://:secret@localhost:" + port
	one, other := replicasAt(t, url, roots)
	useAll(t, one, other)
	for what, of := range map[string]struct {
		url   string
		roots *x509.CertPool
	}{
		"unknown authority": {url, x509.NewCertPool()},
		"certificate":       {strings.Replace(url, "localhost", "127.0.0.1", 1), roots},
	} {
		wrong, _ := replicasAt(t, of.url, of.roots)
		if err := wrong.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", of.url, err)
		}
	}
	plain, _ := replicasAt(t, strings.Replace(url, "rediss", "redis", 1), nil)
	if err := plain.Ping(t.Context()); err == nil {
		t.Error("it answers without TLS")
	}
}

// TestFormSentinel: sentinels say which node it is, and another takes over.
func TestFormSentinel(t *testing.T) {
	master := redistest.Start(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	second := redistest.Start(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor store %s %s 1\nsentinel down-after-milliseconds store 500\nsentinel failover-timeout store 3000\n", host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := redistest.StartWith(t, []string{file, "--sentinel"})
	eventually(t, "the second node follows the first", func() bool {
		return strings.Contains(strings.Join(sentinel.Do("SENTINEL", "REPLICAS", "store"), " "), second.Addr)
	})
	one, other := replicasAt(t, "redis://"+sentinel.Addr+"?master_name=store", nil)
	useAll(t, one, other)
	master.Kill()
	eventually(t, "the other node takes over", func() bool {
		for _, s := range []*shared.Store{one, other} {
			if got, done := s.Claim(t.Context(), "after", 0); done != nil {
				done(value(3, "after"), time.Minute)
			} else if got == nil {
				return false
			}
		}
		return strings.Contains(strings.Join(second.Do("ROLE"), " "), "master")
	})
	eventually(t, "both have the same", func() bool {
		return string(one.Get(t.Context(), "after")) == string(value(3, "after")) && string(other.Get(t.Context(), "after")) == string(value(3, "after"))
	})
}

// TestFormCluster: three nodes have a third of the names each, and one of them is enough to find them.
func TestFormCluster(t *testing.T) {
	var nodes []*redistest.Server
	for i := range 3 {
		bus := freeport.Port(t)
		nodes = append(nodes, redistest.Start(t, "--cluster-enabled", "yes", "--cluster-port", bus))
		first, last := i*16384/3, (i+1)*16384/3-1
		nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(first), fmt.Sprint(last))
		host, port, _ := net.SplitHostPort(nodes[i].Addr)
		nodes[0].Do("CLUSTER", "MEET", host, port, bus)
	}
	for _, node := range nodes {
		eventually(t, "the nodes know each other", func() bool {
			info := strings.Join(node.Do("CLUSTER", "INFO"), "")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	one, other := replicasAt(t, "redis://"+nodes[0].Addr+"?cluster=true&addr="+nodes[1].Addr, nil)
	useAll(t, one, other)
	for i, node := range nodes {
		if names := node.Do("KEYS", "ghapp-proxy:*"); len(names) == 0 {
			t.Errorf("node %d has nothing", i)
		}
	}
}

// writePair writes a certificate for localhost and its key to pair.pem, and returns what trusts it.
func writePair(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "store"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "pair.pem"), append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), 0o600); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return roots
}
