package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/files"
	"ghapp-proxy/safepath"
)

// Open returns the CAs in dir that sign for the hosts of spec, and makes what is
// missing; processes that do so at the same time end up with the same CAs. dir
// is created if need be.
//
// There is one CA, of the name spec.Instance, until hosts are served that it does
// not permit. It stays as it is then, for everybody who trusts it, and those hosts
// get a CA beside it: one for each name in [Spec.Domains], or host, that they
// are below, and called like that. Only who uses them need trust it.
//
// <name>.key holds the key, the intermediate and the root of a CA; it alone
// counts, and nobody but its owner may read it. <name>.pem is a copy of the root
// for clients ([CA.Path]); if it differs it is written again.
//
// A CA that others can read, that is corrupt, about to expire or permits more
// than spec is refused with an [*Error], because replacing it is up to somebody
// who can tell the clients.
func Open(dir string, spec Spec) ([]*CA, error) {
	spec, err := spec.normalize()
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	ca, rest, err := openOne(dir, spec)
	if err != nil {
		return nil, err
	}
	cas := []*CA{ca}
	for _, further := range spec.further(rest) {
		// It permits all of its hosts, or is refused.
		if ca, _, err = openOne(dir, further); err != nil {
			return nil, err
		}
		cas = append(cas, ca)
	}
	return cas, nil
}

// openOne returns the CA of spec.Instance, which it makes if there is none, and
// the hosts that this CA does not permit.
func openOne(dir string, spec Spec) (ca *CA, rest []string, err error) {
	file := privateFile(dir, spec)
	ca, rest, err = openPrivate(file, spec)
	if errors.Is(err, fs.ErrNotExist) {
		// Whoever is first wins. All read what the winner wrote.
		if err := create(file, spec); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, nil, err
		}
		ca, rest, err = openPrivate(file, spec)
	}
	if err != nil {
		return nil, nil, err
	}
	return ca, rest, ca.publish(dir)
}

// Names returns what the CAs in dir are called that are for spec: spec.Instance,
// and the names of those beside it.
func Names(dir string, spec Spec) ([]string, error) {
	spec, err := spec.normalize()
	if err != nil {
		return nil, err
	}
	names := []string{spec.Instance}
	for _, further := range spec.further(spec.Hosts) {
		if further.Instance == spec.Instance {
			continue
		}
		if _, err := os.Lstat(privateFile(dir, further)); err == nil {
			names = append(names, further.Instance)
		}
	}
	return names, nil
}

// Unfit returns the [Names] of the CAs in dir that [Open] refuses, or that expire
// within [Notice].
func Unfit(dir string, spec Spec) ([]string, error) {
	spec, err := spec.normalize()
	if err != nil {
		return nil, err
	}
	names, err := Names(dir, spec)
	return slices.DeleteFunc(names, func(name string) bool {
		one := spec.named(name)
		ca, _, err := openPrivate(privateFile(dir, one), one)
		return err == nil && ca.Expiring() == nil || errors.Is(err, fs.ErrNotExist)
	}), err
}

// Renew makes a new CA in place of the one called name, which is one of [Names],
// whatever there is, and returns it. Proxies that run keep the old one until they
// start again.
//
// The CA before, if it is fit for it, goes on for [Overlap] or to its last day,
// in <name>.key.old: [CA.PEM] has both roots, and leaves are good for those who
// trust either. A second renewal in this time is refused. Of processes that renew
// a CA at the same time, one does, and the others get an [*Error].
func Renew(dir string, spec Spec, name string) (*CA, error) {
	return replace(dir, spec, name, beforeRenewal)
}

// RenewAtOnce is [Renew] without the CA before, for a key that somebody else may
// have: clients must trust the new root as soon as the proxy uses it.
func RenewAtOnce(dir string, spec Spec, name string) (*CA, error) {
	return replace(dir, spec, name, func(string, Spec) (*material, error) { return nil, nil })
}

func replace(dir string, spec Spec, name string, keep func(file string, spec Spec) (*material, error)) (*CA, error) {
	spec, err := spec.normalize()
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	spec = spec.named(name)
	file := privateFile(dir, spec)
	unlock, err := lockUnchanged(dir, file)
	if err != nil {
		return nil, err
	}
	defer unlock()
	before, err := keep(file, spec)
	if err != nil {
		return nil, err
	}
	m, cross, err := generate(spec, before)
	if err != nil {
		return nil, fmt.Errorf("make CA for %s: %w", spec.Instance, err)
	}
	if err := writeOld(file, before, cross); err != nil { // first: alone it has no effect
		return nil, err
	}
	if err := m.write(file, os.Rename); err != nil {
		return nil, err
	}
	ca, _, err := openPrivate(file, spec)
	if err != nil {
		return nil, err
	}
	return ca, ca.publish(dir)
}

// lockUnchanged waits for the lock of dir, and returns an error if file was
// replaced meanwhile. Where directories cannot be locked it does neither.
func lockUnchanged(dir, file string) (unlock func(), err error) {
	before, _ := readPrivate(file) // nil if nobody can use it
	unlock, err = files.Lock(dir)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return func() {}, nil
	case err != nil:
		return nil, fmt.Errorf("renew a CA: %w", err)
	}
	if now, _ := readPrivate(file); !bytes.Equal(now, before) {
		unlock()
		return nil, origin{file, "`ghapp-proxy ca` prints what clients must trust now; to replace it once more, run the command again"}.faultf("another process has just replaced this CA")
	}
	return unlock, nil
}

func privateFile(dir string, spec Spec) string {
	return filepath.Join(dir, spec.Instance+".key")
}

// makeDir makes sure that dir exists and that nobody else can put a CA there:
// clients would trust a root whose key is in somebody else's hands. What the
// user did to the directory himself, such as a symbolic link to it or to a file
// in it, is fine.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create state directory: %w", err)
	}
	return checkSafe(dir)
}

// checkSafe returns an *Error if somebody else could put a CA of his own, whose
// key he has, in place of what path leads to.
func checkSafe(path string) error {
	err := safepath.Check(path)
	if fault, ok := errors.AsType[*safepath.Error](err); ok {
		return origin{fault.Path, fault.Remedy}.faultf("%s", fault.Reason)
	}
	return err
}

// checksModes reports whether permission bits mean something: on Windows, os
// makes them up.
func checksModes() bool { return runtime.GOOS != "windows" }

// openPrivate returns the CA in file, and the hosts of spec that it does not
// permit. The error wraps fs.ErrNotExist if there is no such file.
func openPrivate(file string, spec Spec) (ca *CA, rest []string, err error) {
	data, err := readPrivate(file)
	if err != nil {
		return nil, nil, err
	}
	from := origin{file, hintRenew}
	m, err := parse(data, data)
	if err != nil {
		return nil, nil, from.fault(err)
	}
	if err := m.checkStored(spec); err != nil {
		return nil, nil, from.fault(err)
	}
	before, err := openOld(file, m, spec)
	if err != nil {
		return nil, nil, err
	}
	spec.Hosts, rest = m.split(spec.Hosts)
	if before != nil {
		spec.Hosts, rest = before.leave(filepath.Dir(file), spec, rest)
	}
	if ca, err = assemble(m, spec, from); err != nil {
		return nil, nil, err
	}
	ca.before = before
	return ca, rest, nil
}

// split returns the hosts that m permits, and the others.
func (m material) split(hosts []string) (permitted, others []string) {
	for _, host := range hosts {
		if permits(m.certificates[0].PermittedDNSDomains, host) {
			permitted = append(permitted, host)
		} else {
			others = append(others, host)
		}
	}
	return permitted, others
}

// checkStored returns an error unless m is what [generate] makes for spec, or
// made for fewer hosts. A CA that permits more than spec is refused: somebody
// narrowed the hosts for a reason.
func (m material) checkStored(spec Spec) error {
	if err := m.checkShape(); err != nil {
		return err
	}
	if err := checkEnd(m.certificates, time.Now().Add(RenewalMargin)); err != nil {
		return err
	}
	return m.checkLimits(spec)
}

func (m material) checkShape() error {
	if n := len(m.certificates); n != 2 {
		return fmt.Errorf("holds %d certificates, not an intermediate and its root", n)
	}
	return nil
}

// checkLimits returns an error unless the names that m permits suit spec.
func (m material) checkLimits(spec Spec) error {
	signer := m.certificates[0]
	has, want := slices.Sorted(slices.Values(signer.PermittedDNSDomains)), spec.permitted()
	tooMuch := func(name string) bool { return !permits(want, name) }
	// What it does not permit is for CAs beside it, which need other names.
	own, others := m.split(spec.Hosts)
	isItself := func(other Spec) bool { return other.Instance == spec.Instance }
	switch {
	case slices.Equal(has, want):
	case len(want) == 0:
		return errors.New("the CA has name constraints, and the configuration turns them off")
	case len(has) == 0:
		return errors.New("the CA has no name constraints, and the configuration asks for them")
	case slices.ContainsFunc(has, tooMuch), len(own) == 0, slices.ContainsFunc(spec.further(others), isItself):
		return fmt.Errorf("the CA is for %s, and the configuration serves %s", strings.Join(has, ", "), strings.Join(want, ", "))
	}
	if !spec.Unconstrained && (!signer.PermittedDNSDomainsCritical || !excludesEveryIP(signer)) {
		return errors.New("the CA's name constraints are not critical or leave IP addresses open")
	}
	return nil
}

func excludesEveryIP(c *x509.Certificate) bool {
	text := func(ranges []*net.IPNet) string { return fmt.Sprint(ranges) }
	return text(c.ExcludedIPRanges) == text(everyIP())
}

func readPrivate(file string) ([]byte, error) {
	data, info, err := files.Read(file, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, origin{file, "see that the user who runs the proxy owns this file and can read it"}.fault(err)
	case err != nil:
		return nil, origin{file, hintRenew}.fault(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && checksModes() {
		hint := "run `chmod 600 " + shellQuote(file) + "`, or `ghapp-proxy ca --renew --at-once` if somebody may have read it"
		return nil, origin{file, hint}.faultf("others can use the private key of the CA (mode %#o)", mode)
	}
	if err := checkSafe(file); err != nil {
		return nil, err
	}
	return data, nil
}

// create makes a CA and places it at file, unless there is one.
func create(file string, spec Spec) error {
	m, _, err := generate(spec, nil)
	if err != nil {
		return fmt.Errorf("make CA for %s: %w", spec.Instance, err)
	}
	return m.write(file, placeFirst)
}

// write places m at file, by placeFirst to keep or os.Rename to replace what is
// there.
func (m material) write(file string, place func(from, to string) error) error {
	data, err := encodePrivate(m.key, m.certificates)
	if err != nil {
		return err
	}
	return files.Write(file, data, 0o600, place)
}

// encodePrivate returns what [parse] reads.
func encodePrivate(key crypto.Signer, certificates []*x509.Certificate) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of the CA: %w", err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return append(data, encodeCertificates(certificates...)...), nil
}

// publish makes <name>.pem hold the root. An Open that overlaps with a Renew
// can put the old root back; the next Open corrects that.
func (ca *CA) publish(dir string) error {
	ca.path = filepath.Join(dir, ca.instance+".pem")
	if data, err := os.ReadFile(ca.path); err == nil && bytes.Equal(data, ca.PEM()) {
		return nil
	}
	return files.Write(ca.path, ca.PEM(), 0o644, os.Rename)
}
