package certs

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// served is what github.com's instance is served with.
var served = Spec{
	Instance: "github.com",
	Hosts:    []string{"api.github.com", "codeload.github.com", "github.com", "raw.githubusercontent.com", "uploads.github.com"},
	Domains:  []string{"githubusercontent.com"},
}

// serving returns served with more hosts.
func serving(hosts ...string) Spec {
	spec := served
	spec.Hosts = append(slices.Clone(served.Hosts), hosts...)
	return spec
}

// storedBefore is a state directory from when constraints permitted the exact
// hosts: testdata/exact-hosts was made on 2026-11-28. Call it within a bubble.
func storedBefore(t *testing.T) (dir string) {
	t.Helper()
	time.Sleep(time.Until(time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC)))
	dir = t.TempDir()
	for name, mode := range map[string]os.FileMode{"github.com.key": 0o600, "github.com.pem": 0o644} {
		write(t, filepath.Join(dir, name), read(t, filepath.Join("testdata/exact-hosts", name)), mode)
	}
	return dir
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// openAll returns the CAs for spec by their names.
func openAll(t *testing.T, dir string, spec Spec) map[string]*CA {
	t.Helper()
	cas, err := Open(dir, spec)
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*CA)
	for _, ca := range cas {
		byName[ca.instance] = ca
		for _, host := range ca.Hosts() {
			if err := verify(ca.PEM(), leafFor(t, ca, host).Certificate, host); err != nil {
				t.Errorf("verify %s by the CA %s: %v", host, ca.instance, err)
			}
		}
	}
	return byName
}

func wantHosts(t *testing.T, ca *CA, hosts ...string) {
	t.Helper()
	if ca == nil || !slices.Equal(ca.Hosts(), hosts) {
		t.Errorf("hosts of %v, want %q", ca, hosts)
	}
}

// TestStateOfBefore: nobody must install another root for what was served then.
func TestStateOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := storedBefore(t)
		key := read(t, filepath.Join(dir, "github.com.key"))
		ca := open(t, dir, served)
		wantHosts(t, ca, served.Hosts...)
		openAll(t, dir, served)
		if !bytes.Equal(ca.PEM(), read(t, "testdata/exact-hosts/github.com.pem")) || !bytes.Equal(key, read(t, filepath.Join(dir, "github.com.key"))) {
			t.Error("the root or the key is another")
		}
		if files, _ := os.ReadDir(dir); len(files) != 2 {
			t.Errorf("state directory holds %v, want two files", files)
		}
	})
}

// TestNewHosts: a host that the CA does not permit gets another beside it, which
// is good for the next of its kind.
func TestNewHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := storedBefore(t)
		before := open(t, dir, served)
		cas := openAll(t, dir, serving("objects.githubusercontent.com", "ghcr.example"))
		if len(cas) != 3 || !bytes.Equal(cas["github.com"].PEM(), before.PEM()) {
			t.Fatalf("%d CAs, want the first as it was and two beside it", len(cas))
		}
		wantHosts(t, cas["github.com"], served.Hosts...)
		wantHosts(t, cas["githubusercontent.com"], "objects.githubusercontent.com")
		wantHosts(t, cas["ghcr.example"], "ghcr.example")

		more := openAll(t, dir, serving("objects.githubusercontent.com", "media.githubusercontent.com", "gist.github.com"))
		if len(more) != 2 || !bytes.Equal(more["githubusercontent.com"].PEM(), cas["githubusercontent.com"].PEM()) {
			t.Errorf("%d CAs, want the two that permit the hosts already", len(more))
		}
		wantHosts(t, more["githubusercontent.com"], "media.githubusercontent.com", "objects.githubusercontent.com")
		wantHosts(t, open(t, dir, served), served.Hosts...)
	})
}

// TestDomains: what is made now permits what may be served later.
func TestDomains(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, served)
	if want := []string{"github.com", "githubusercontent.com"}; !slices.Equal(before.signer().PermittedDNSDomains, want) {
		t.Errorf("permitted are %q, want %q", before.signer().PermittedDNSDomains, want)
	}
	after := open(t, dir, serving("objects.githubusercontent.com"))
	if !bytes.Equal(before.PEM(), after.PEM()) {
		t.Error("a host below a domain needs another root")
	}
	leafFor(t, after, "objects.githubusercontent.com")
	if err := verify(before.PEM(), forge(t, before, "evil.example.com"), "evil.example.com"); err == nil {
		t.Error("a thief of the key can sign for anything")
	}
}

// TestFurtherIsCheckedToo: a CA beside the first is refused for the same faults.
func TestFurtherIsCheckedToo(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Spec{Instance: "github.com", Hosts: []string{"github.com"}})
	grown := Spec{Instance: "github.com", Hosts: []string{"github.com", "ghcr.example"}}
	further := openAll(t, dir, grown)["ghcr.example"]
	if names, err := Names(dir, grown); err != nil || !slices.Equal(names, []string{"github.com", "ghcr.example"}) {
		t.Errorf("Names() = %q, %v", names, err)
	}
	if names, err := Unfit(dir, grown); err != nil || len(names) != 0 {
		t.Errorf("Unfit() = %q, %v, want none", names, err)
	}
	other := open(t, t.TempDir(), Spec{Instance: "ghcr.example", Hosts: []string{"ghcr.example"}, Domains: []string{"evil.example"}})
	write(t, filepath.Join(dir, "ghcr.example.key"), read(t, other.origin.file), 0o600)
	_, err := Open(dir, grown)
	wantFault(t, err, "ghcr.example.key: the CA is for evil.example, ghcr.example", "--renew")
	if names, err := Unfit(dir, grown); err != nil || !slices.Equal(names, []string{"ghcr.example"}) {
		t.Errorf("Unfit() = %q, %v, want ghcr.example", names, err)
	}
	renewed, err := Renew(dir, grown, "ghcr.example")
	if err != nil {
		t.Fatal(err)
	}
	after := openAll(t, dir, grown)
	if !bytes.Equal(after["ghcr.example"].PEM(), renewed.PEM()) || bytes.Equal(renewed.PEM(), further.PEM()) {
		t.Error("Renew did not replace the CA beside the first")
	}
}
