package cli

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/certs"

	"software.sslmate.com/src/go-pkcs12"
)

func testCA(t *testing.T) []byte {
	t.Helper()
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{"github.com"}})
	if err != nil {
		t.Fatal(err)
	}
	return ca.PEM()
}

func writeFile(t *testing.T, path string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificatesIn are the certificates of a file in PEM, in order.
func certificatesIn(t *testing.T, path string) (list [][]byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		list = append(list, pem.EncodeToMemory(block))
	}
	return list
}

func TestTrustFiles(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	ours, system, corporate := testCA(t), testCA(t), testCA(t)
	systemFile := writeFile(t, filepath.Join(home, "system.pem"), system)
	corporateFile := writeFile(t, filepath.Join(home, "corporate.pem"), corporate)
	writeFile(t, filepath.Join(home, ".wgetrc"), []byte("# mine\ntries = 3\nHTTPS-Proxy = http://x\nheader = Authorization: token ghp_0123456789012345678901234567890123456789\n"))
	files := trustFiles{ca: ours, dir: dir, mode: 0o644, home: home, has: lookupOf(map[string]string{
		"SSL_CERT_FILE": systemFile, "CURL_CA_BUNDLE": systemFile, "PIP_CERT": filepath.Join(home, "missing.pem"),
		"REQUESTS_CA_BUNDLE": corporateFile, "NODE_EXTRA_CA_CERTS": corporateFile,
	})}
	found, notes, err := files.write()
	if err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string][][]byte{
		"SSL_CERT_FILE":       {system, ours},
		"CURL_CA_BUNDLE":      {system, ours},
		"PIP_CERT":            {system, ours},
		"REQUESTS_CA_BUNDLE":  {corporate, ours},
		"NODE_EXTRA_CA_CERTS": {corporate, ours},
		"DENO_CERT":           {ours},
	} {
		byDefault := bundleFile
		if slices.Contains(extraEnv, variable) {
			byDefault = caFile
		}
		if got := certificatesIn(t, found.file(variable, byDefault)); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s names a file of %d certificates, or others, than the %d wanted", variable, len(got), len(want))
		}
	}
	rc, err := os.ReadFile(found.path(wgetFile))
	if want := "tries = 3\nca_certificate = " + filepath.Join(dir, bundleFile) + "\n"; err != nil || string(rc) != want {
		t.Errorf("wgetrc = %q, %v, want %q", rc, err, want)
	}
	if said := strings.Join(notes, "; "); !strings.Contains(said, "PIP_CERT was replaced") || !strings.Contains(said, "wgetrc: HTTPS-Proxy, header") || strings.Contains(said, "ghp_") {
		t.Errorf("notes %q", notes)
	}
	if info, err := os.Stat(found.path(wgetFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("wgetrc, which may hold passwords, has mode %v, %v", info.Mode(), err)
	}
}

// Files of an earlier time are not taken for the user's own.
func TestTrustFilesTwice(t *testing.T) {
	dir := t.TempDir()
	system := writeFile(t, filepath.Join(t.TempDir(), "system.pem"), testCA(t))
	files := trustFiles{ca: testCA(t), dir: dir, mode: 0o644, has: lookupOf(map[string]string{"SSL_CERT_FILE": system})}
	if _, _, err := files.write(); err != nil {
		t.Fatal(err)
	}
	files.ca = testCA(t)
	files.has = lookupOf(map[string]string{
		"SSL_CERT_FILE": system, "REQUESTS_CA_BUNDLE": filepath.Join(dir, bundleFile), "NODE_EXTRA_CA_CERTS": filepath.Join(dir, caFile), "WGETRC": filepath.Join(dir, wgetFile),
	})
	found, notes, err := files.write()
	if err != nil || len(notes) > 0 || len(found.own) > 0 {
		t.Errorf("the second time: %v, %q, %v", found.own, notes, err)
	}
	if got := certificatesIn(t, filepath.Join(dir, caFile)); len(got) != 1 || !bytes.Equal(got[0], files.ca) {
		t.Errorf("%d certificates, want the new one alone", len(got))
	}
}

// Java keeps one certificate for each name; two CAs may have the same subject.
func TestJavaTrustStore(t *testing.T) {
	ours := testCA(t)
	bundle := slices.Concat(testCA(t), ours, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	store, err := javaTrustStore(bundle)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := pkcs12.DecodeTrustStore(store, trustStorePassword)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(ours)
	if len(certificates) != 2 || !slices.ContainsFunc(certificates, func(c *x509.Certificate) bool { return bytes.Equal(c.Raw, block.Bytes) }) {
		t.Errorf("the trust store holds %d certificates, or not ours", len(certificates))
	}
	if _, err := javaTrustStore(nil); err == nil {
		t.Error("an empty trust store is no error")
	}
}

func TestMakeShared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := makeShared(dir); err != nil {
		t.Errorf("makeShared: %v", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := makeShared(dir); err == nil || !strings.Contains(err.Error(), dir+": others can write") {
		t.Errorf("a directory of everybody: %v", err)
	}
	if err := makeShared(filepath.Join(dir, "c")); err == nil || !strings.Contains(err.Error(), dir+": others can write") {
		t.Errorf("a directory below one of everybody: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, 65533, -1)); err != nil {
		t.Fatal(err)
	}
	if err := makeShared(filepath.Join(dir, "c")); err == nil || !strings.Contains(err.Error(), dir+": belongs to uid 65533") {
		t.Errorf("a directory in somebody else's: %v", err)
	}
}
