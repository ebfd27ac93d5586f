package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestMain lets the test binary be a second process: see TestConcurrentProcesses.
func TestMain(m *testing.M) {
	dir := os.Getenv("CERTS_TEST_OPEN")
	if dir == "" {
		os.Exit(m.Run())
	}
	cas, err := Open(dir, github)
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.Write(cas[0].PEM())
}

// open returns the only CA for spec.
func open(t *testing.T, dir string, spec Spec) *CA {
	t.Helper()
	cas, err := Open(dir, spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(cas) != 1 {
		t.Fatalf("there are %d CAs, want one", len(cas))
	}
	return cas[0]
}

func renew(dir string, spec Spec) (*CA, error) { return Renew(dir, spec, spec.Instance) }

// wantFault checks that err is an *Error with all of texts in it.
func wantFault(t *testing.T, err error, texts ...string) {
	t.Helper()
	if _, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("error is %v (%T), want an *Error", err, err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error is %q, want %q in it", err, text)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	first, second := open(t, dir, github), open(t, dir, github)
	if !bytes.Equal(first.PEM(), second.PEM()) {
		t.Error("the second Open returned another root")
	}
	if err := verify(first.PEM(), leafFor(t, second, "github.com").Certificate, "github.com"); err != nil {
		t.Error(err)
	}
	public, err := os.ReadFile(second.Path())
	if err != nil || !bytes.Equal(public, first.PEM()) {
		t.Errorf("%s holds %q (%v), want the root", second.Path(), public, err)
	}
	for name, want := range map[string]fs.FileMode{".": 0o700, "github.com.key": 0o600, "github.com.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %s = %v (%v), want %v", name, info.Mode(), err, want)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("state directory holds %v, want two files", files)
	}
}

func TestInstancesAreSeparate(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, github)
	ghes := open(t, dir, Spec{Instance: "ghes.example.com", Hosts: []string{"ghes.example.com"}})
	if bytes.Equal(before.PEM(), ghes.PEM()) {
		t.Error("two instances share a root")
	}
	if !bytes.Equal(before.PEM(), open(t, dir, github).PEM()) {
		t.Error("adding an instance changed the root of another")
	}
}

func TestMoreHostsBelow(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, github)
	spec := github
	spec.Hosts = append([]string{"uploads.github.com"}, spec.Hosts...)
	after := open(t, dir, spec)
	if !bytes.Equal(before.PEM(), after.PEM()) {
		t.Error("a host below a permitted one needs another CA")
	}
	leafFor(t, after, "uploads.github.com")
}

func TestMismatch(t *testing.T) {
	for name, test := range map[string]struct {
		stored, wanted Spec
		text           string
	}{
		"other":           {github, Spec{Hosts: []string{"git.example"}}, "is for github.com, raw.githubusercontent.com, and the configuration serves git.example\n"},
		"below":           {Spec{Hosts: []string{"api.github.com"}}, github, "is for api.github.com, and the configuration serves github.com, raw.githubusercontent.com"},
		"fewer":           {github, Spec{Hosts: github.Hosts[:1]}, "and the configuration serves github.com"},
		"no constraints":  {Spec{Hosts: github.Hosts, Unconstrained: true}, github, "has no name constraints"},
		"has constraints": {github, Spec{Hosts: github.Hosts, Unconstrained: true}, "has name constraints"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test.stored.Instance, test.wanted.Instance = "github.com", "github.com"
			before := open(t, dir, test.stored)
			_, err := Open(dir, test.wanted)
			wantFault(t, err, "github.com.key", test.text, "ghapp-proxy ca --renew")
			after, err := renew(dir, test.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(before.PEM(), after.PEM()) || !bytes.Equal(open(t, dir, test.wanted).PEM(), after.PEM()) {
				t.Error("Renew did not replace the stored CA")
			}
		})
	}
}

func TestWeakConstraints(t *testing.T) {
	for name, weaken := range map[string]func(*x509.Certificate){
		"not critical": func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false },
		"no IPv6":      func(c *x509.Certificate) { c.ExcludedIPRanges = everyIP()[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			rootKey, root, err := authority(github, "root")
			if err != nil {
				t.Fatal(err)
			}
			if root, err = sign(root, root, rootKey.Public(), rootKey); err != nil {
				t.Fatal(err)
			}
			key, signer, err := authority(github, "issuing CA")
			if err != nil {
				t.Fatal(err)
			}
			constrain(signer, github)
			weaken(signer)
			if signer, err = sign(signer, root, key.Public(), rootKey); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "github.com.key"), encodeAll(t, key, signer, root), 0o600)
			_, err = Open(dir, github)
			wantFault(t, err, "not critical or leave IP addresses open", "--renew")
		})
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		ca := open(t, dir, github)
		time.Sleep(AuthorityLifetime - RenewalMargin - time.Minute)
		open(t, dir, github)
		time.Sleep(2 * time.Minute)
		_, err := Open(dir, github)
		wantFault(t, err, "expires soon, on "+ca.Expires().Format(time.DateOnly), "--renew")
		time.Sleep(RenewalMargin)
		_, err = Open(dir, github)
		wantFault(t, err, "expired on", "--renew")
		if _, err := renew(dir, github); err != nil {
			t.Error(err)
		}
		open(t, dir, github)
	})
}

func TestNotYetValid(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, github)
	synctest.Test(t, func(t *testing.T) { // in the year 2000
		_, err := Open(dir, github)
		wantFault(t, err, "not yet valid")
	})
}

func TestPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	open(t, dir, github)
	key := filepath.Join(dir, "github.com.key")
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o620, 0o604} {
		os.Chmod(key, mode)
		_, err := Open(dir, github)
		wantFault(t, err, "private key", "run `chmod 600 '", `/it'\''s here/github.com.key'`)
	}
	os.Chmod(key, 0o400)
	open(t, dir, github)
	os.Chmod(dir, 0o772)
	_, err := Open(dir, github)
	wantFault(t, err, "others can write", "0772", "run `chmod go-w '")
	_, err = renew(dir, github)
	wantFault(t, err, "others can write")
	os.Chmod(dir, 0o755)
	open(t, dir, github)
	os.Chmod(filepath.Dir(dir), 0o777)
	_, err = Open(dir, github)
	wantFault(t, err, filepath.Dir(dir)+": others can write", "run `chmod go-w ")
	os.Chmod(filepath.Dir(dir), 0o755)
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	// Somebody else's: he has the key.
	for _, name := range []string{key, dir} {
		os.Chown(name, 65533, -1)
		_, err := Open(dir, github)
		wantFault(t, err, name+": belongs to uid 65533", "run `chown 0 ")
		if name == dir { // the key it replaces
			_, err := renew(dir, github)
			wantFault(t, err, name+": belongs to uid 65533", "run `chown 0 ")
		}
		os.Chown(name, 0, -1)
	}
	open(t, dir, github)
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	dir := t.TempDir()
	open(t, dir, github)
	os.Chmod(filepath.Join(dir, "github.com.key"), 0)
	_, err := Open(dir, github)
	wantFault(t, err, "permission denied", "the user who runs the proxy")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("errors.Is(%v, fs.ErrPermission) = false", err)
	}
}

func TestCorrupt(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "github.com.key")
	open(t, dir, github)
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	open(t, dir, Spec{Instance: "other", Hosts: []string{"other"}})
	other, _ := os.ReadFile(filepath.Join(dir, "other.key"))
	begin := []byte("-----BEGIN CERT")
	otherKey, goodChain := other[:bytes.Index(other, begin)], good[bytes.Index(good, begin):]
	for name, test := range map[string]struct {
		data []byte
		text string
	}{
		"empty":      {nil, "failed to find any PEM data"},
		"half":       {good[:len(good)/2], "failed to find"},
		"text":       {[]byte("hello"), "failed to find any PEM data"},
		"no root":    {good[:bytes.LastIndex(good, begin)], "holds 1 certificates"},
		"other key":  {slices.Concat(otherKey, goodChain), "does not match"},
		"too large":  {make([]byte, maxFile+1), "longer than 1 MiB"},
		"not a cert": {bytes.Replace(good, []byte("BEGIN CERTIFICATE-----\nMII"), []byte("BEGIN CERTIFICATE-----\nAAA"), 1), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, key, test.data, 0o600)
			_, err := Open(dir, github)
			wantFault(t, err, key+": ", test.text, "ghapp-proxy ca --renew")
			if data, _ := os.ReadFile(key); !bytes.Equal(data, test.data) {
				t.Error("Open changed the file")
			}
		})
	}
	if _, err := renew(dir, github); err != nil {
		t.Error(err)
	}
}

func TestPublicFileHeals(t *testing.T) {
	dir := t.TempDir()
	ca := open(t, dir, github)
	write(t, ca.Path(), []byte("something else"), 0o600)
	ca = open(t, dir, github)
	if data, _ := os.ReadFile(ca.Path()); !bytes.Equal(data, ca.PEM()) {
		t.Errorf("%s holds %q, want the root", ca.Path(), data)
	}
}

func TestSymlinkedState(t *testing.T) {
	real, dir := t.TempDir(), t.TempDir()
	before := open(t, real, github)
	for _, name := range []string{"github.com.key", "github.com.pem"} {
		if err := os.Symlink(filepath.Join(real, name), filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	if !bytes.Equal(open(t, dir, github).PEM(), before.PEM()) {
		t.Error("a symbolic link to a private file is not followed")
	}
}

func TestConcurrentOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	roots := make([]string, 16)
	var wg sync.WaitGroup
	for i := range roots {
		wg.Go(func() {
			cas, err := Open(dir, github)
			if err != nil {
				t.Error(err)
				return
			}
			roots[i] = string(cas[0].PEM())
		})
	}
	wg.Wait()
	wantSame(t, roots)
}

func TestConcurrentProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	roots := make([]string, 8)
	var wg sync.WaitGroup
	for i := range roots {
		wg.Go(func() {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), "CERTS_TEST_OPEN="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			roots[i] = string(out)
		})
	}
	wg.Wait()
	wantSame(t, roots)
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("state directory holds %v, want two files", files)
	}
}

func wantSame(t *testing.T, roots []string) {
	t.Helper()
	for i, root := range roots {
		if root == "" || root != roots[0] {
			t.Errorf("opener %d has another root than opener 0", i)
		}
	}
}
