package certs

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/files"
)

// renewed returns a CA, and what Renew made of it when the first has left of
// its life.
func renewed(t *testing.T, dir string, left time.Duration) (old, now *CA) {
	t.Helper()
	old = open(t, dir, served)
	time.Sleep(time.Until(old.Expires()) - left)
	if _, err := renew(dir, served); err != nil {
		t.Fatal(err)
	}
	return old, open(t, dir, served)
}

// TestOverlap: whoever trusts the old root, the new one or both is served until
// the overlap ends, and whoever trusts the new one for ever.
func TestOverlap(t *testing.T) {
	for name, left := range map[string]time.Duration{"early": AuthorityLifetime / 2, "with the first warning": Notice, "late": 3 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				old, ca := renewed(t, dir, left)
				end := ca.OverlapEnd()
				if got, want := time.Until(end), min(Overlap, left-overlapMargin); got < want-time.Minute || got > want {
					t.Errorf("the overlap lasts %v, want %v", got, want)
				}
				newRoot := encodeCertificates(ca.root())
				if want := slices.Concat(newRoot, old.PEM()); !bytes.Equal(ca.PEM(), want) || !bytes.Equal(read(t, ca.Path()), want) {
					t.Error("clients are not given the new root and the one before")
				}
				for time.Until(end) > 0 {
					for _, host := range served.Hosts {
						chain := leafFor(t, ca, host)
						for _, roots := range [][]byte{old.PEM(), newRoot, ca.PEM()} {
							if err := verify(roots, chain.Certificate, host); err != nil {
								t.Fatalf("%v before the end, %s: %v", time.Until(end), host, err)
							}
						}
						if time.Until(chain.Leaf.NotAfter) < 23*time.Hour {
							t.Fatalf("a leaf that is good for %v is handed out", time.Until(chain.Leaf.NotAfter))
						}
					}
					time.Sleep(min(7*time.Hour, time.Until(end)))
				}
				for range 2 {
					if !bytes.Equal(ca.PEM(), newRoot) {
						t.Error("the root before is in the bundle for ever")
					}
					chain := leafFor(t, ca, "github.com").Certificate
					if err := verify(newRoot, chain, "github.com"); err != nil || len(chain) != 2 {
						t.Errorf("after the overlap: %d certificates, %v", len(chain), err)
					}
					if verify(old.PEM(), chain, "github.com") == nil {
						t.Error("the key before is still used after the overlap")
					}
					ca = open(t, dir, served) // the next start
				}
				if files, _ := os.ReadDir(dir); len(files) != 2 || !bytes.Equal(read(t, ca.Path()), newRoot) {
					t.Errorf("state directory holds %v, want the new CA alone", files)
				}
			})
		})
	}
}

// TestOverlapFromBefore renews a CA for the exact hosts.
func TestOverlapFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := storedBefore(t)
		grown := serving("objects.githubusercontent.com")
		before := openAll(t, dir, grown)
		if _, err := Renew(dir, grown, "github.com"); err != nil {
			t.Fatal(err)
		}
		during := openAll(t, dir, grown)
		wantHosts(t, during["github.com"], served.Hosts...)
		wantHosts(t, during["githubusercontent.com"], "objects.githubusercontent.com")
		for _, host := range served.Hosts {
			if err := verify(before["github.com"].PEM(), leafFor(t, during["github.com"], host).Certificate, host); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
		time.Sleep(Overlap + time.Hour)
		if after := openAll(t, dir, grown); len(after) != 1 {
			t.Errorf("%d CAs, want the one that permits all", len(after))
		}
	})
}

func TestSecondRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		_, ca := renewed(t, dir, Notice)
		_, err := renew(dir, served)
		wantFault(t, err, "github.com.key: clients may trust only the root before the last renewal, until 2004-12-", "--renew github.com --at-once")
		if !bytes.Equal(open(t, dir, served).PEM(), ca.PEM()) {
			t.Error("the refused renewal changed the CA")
		}
		after, err := RenewAtOnce(dir, served, "github.com")
		if err != nil {
			t.Fatal(err)
		}
		if !after.OverlapEnd().IsZero() || len(leafFor(t, after, "github.com").Certificate) != 2 {
			t.Error("RenewAtOnce keeps an overlap")
		}
		if _, err := os.Stat(oldFile(filepath.Join(dir, "github.com.key"))); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the key before is still there: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := renew(dir, served); err != nil {
			t.Errorf("renewal after one at once: %v", err)
		}
	})
}

// TestConcurrentRenewals: one of them replaces the CA, and its overlap is with the
// CA that was there.
func TestConcurrentRenewals(t *testing.T) {
	dir := t.TempDir()
	unlock, err := files.Lock(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	unlock()
	before := open(t, dir, served)
	var renewals atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := renew(dir, served); err != nil {
				wantFault(t, err, "github.com.key: ", "ghapp-proxy ca")
				return
			}
			renewals.Add(1)
		})
	}
	wg.Wait()
	if n := renewals.Load(); n != 1 {
		t.Errorf("%d renewals at the same time replace the CA, want 1", n)
	}
	after := open(t, dir, served)
	if !bytes.Contains(after.PEM(), before.PEM()) || bytes.HasPrefix(after.PEM(), before.PEM()) || after.OverlapEnd().IsZero() {
		t.Errorf("the CA after the renewals has an overlap to %v, and these roots:\n%s", after.OverlapEnd(), after.PEM())
	}
}

// TestNoOverlap: what should not be used any more is not.
func TestNoOverlap(t *testing.T) {
	unconstrained := served
	unconstrained.Unconstrained = true
	for name, test := range map[string]struct {
		stored Spec
		spoil  func(t *testing.T, key string)
	}{
		"others can read it": {served, func(t *testing.T, key string) { os.Chmod(key, 0o644) }},
		"corrupt":            {served, func(t *testing.T, key string) { write(t, key, []byte("x"), 0o600) }},
		"permits too much":   {unconstrained, func(*testing.T, string) {}},
		"almost over":        {served, func(*testing.T, string) { time.Sleep(AuthorityLifetime - overlapMargin) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				open(t, dir, test.stored)
				test.spoil(t, filepath.Join(dir, "github.com.key"))
				ca, err := renew(dir, served)
				if err != nil {
					t.Fatal(err)
				}
				if !ca.OverlapEnd().IsZero() {
					t.Error("the CA before goes on")
				}
			})
		})
	}
}

func TestOldFileIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		_, ca := renewed(t, dir, Notice)
		file := oldFile(filepath.Join(dir, "github.com.key"))
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s = %v (%v)", file, info.Mode(), err)
		}
		good := read(t, file)
		o := ca.before
		thief := newCA(t, served)
		for name, test := range map[string]struct {
			data []byte
			text string
		}{
			"empty":      {nil, "failed to find any PEM data"},
			"no root":    {encodeAll(t, o.key, o.signer, o.cross), "holds 2 certificates"},
			"other key":  {encodeAll(t, thief.key, thief.signer(), o.cross, o.root), "clients would refuse"},
			"other root": {encodeAll(t, o.key, o.signer, o.cross, ca.root()), "clients would refuse"},
		} {
			write(t, file, test.data, 0o600)
			_, err := Open(dir, served)
			wantFault(t, err, file+": ", test.text, "remove this file")
			if t.Failed() {
				t.Fatal(name)
			}
		}
		write(t, file, good, 0o644)
		_, err := Open(dir, served)
		wantFault(t, err, file+": others can use the private key")
	})
}

// TestUnfinishedRenewal: the old CA is kept first, then the new one written.
func TestUnfinishedRenewal(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, served)
	key := filepath.Join(dir, "github.com.key")
	m, err := beforeRenewal(key, mustNormalize(t, served))
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	_, cross, err := generate(mustNormalize(t, served), m)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeOld(key, m, cross); err != nil {
		t.Fatal(err)
	}
	after := open(t, dir, served)
	if !bytes.Equal(after.PEM(), before.PEM()) || len(leafFor(t, after, "github.com").Certificate) != 2 {
		t.Error("half a renewal has an effect")
	}
	if _, err := renew(dir, served); err != nil {
		t.Errorf("renew after half a renewal: %v", err)
	}
}

func mustNormalize(t *testing.T, spec Spec) Spec {
	t.Helper()
	spec, err := spec.normalize()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestOverlapOpenSSL: also who does not try all issuers finds the root it trusts.
func TestOverlapOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on PATH")
	}
	dir := t.TempDir()
	old := open(t, dir, served)
	ca, err := renew(dir, served)
	if err != nil {
		t.Fatal(err)
	}
	var sent []byte
	for _, der := range leafFor(t, ca, "github.com").Certificate {
		sent = append(sent, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	write(t, filepath.Join(dir, "chain"), sent, 0o600)
	for name, roots := range map[string][]byte{"old": old.PEM(), "new": encodeCertificates(ca.root()), "both": ca.PEM()} {
		write(t, filepath.Join(dir, "roots"), roots, 0o600)
		cmd := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath", "-CAfile", "roots", "-untrusted", "chain", "-verify_hostname", "github.com", "chain")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("trusting %s: %v\n%s", name, err, out)
		}
	}
}
