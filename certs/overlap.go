package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"ghapp-proxy/files"
)

const (
	// Notice is how long before its end a CA is to be warned of, and Overlap how
	// long [Renew] lets the CA before go on at most. They are the same, so that a
	// rollout which begins with the first warning has all the time that is left.
	// Longer would keep a key that has been replaced.
	Notice  = 30 * 24 * time.Hour
	Overlap = Notice

	// overlapMargin is the life that a leaf of the CA before has at least: as
	// any other it is good for a day.
	overlapMargin = 24 * time.Hour
)

// overlap is the CA before a renewal, which signs until the renewal has reached
// the clients. The new root has signed the old one: the chain of leaf,
// intermediate and this cross-certificate ends with the old root for those who
// trust that, and goes on to the new one for the others. The key of the old root
// is gone, so that the opposite, an old root for the new one, cannot be had.
type overlap struct {
	key    crypto.Signer
	signer *x509.Certificate // for key
	cross  *x509.Certificate // for the key of root, signed by the new root
	root   *x509.Certificate // the old one
}

const hintOld = "remove this file; clients that trust only the root before the renewal are cut off then"

// until is when the overlap ends.
func (o *overlap) until() time.Time {
	return firstEnd([]*x509.Certificate{o.signer, o.cross, o.root}).Add(-overlapMargin)
}

// signs reports whether leaves for host come from o at now.
func (o *overlap) signs(host string, now time.Time) bool {
	return o != nil && now.Before(o.until()) && permits(o.signer.PermittedDNSDomains, host)
}

// oldFile is where the CA before a renewal is kept. The name is no other CA's:
// theirs end in .key.
func oldFile(file string) string { return file + ".old" }

// openOld returns the overlap that goes with m, the CA in file; nil for none. A
// file that goes with another is left of a renewal that was not finished, or that
// happens now. Once the overlap is over the key is removed.
func openOld(file string, m material, spec Spec) (*overlap, error) {
	file = oldFile(file)
	data, err := readPrivate(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from := origin{file, hintOld}
	old, err := parse(data, data)
	if err != nil {
		return nil, from.fault(err)
	}
	if n := len(old.certificates); n != 3 {
		return nil, from.faultf("holds %d certificates, not an intermediate, a cross-certificate and a root", n)
	}
	o := &overlap{old.key, old.certificates[0], old.certificates[1], old.certificates[2]}
	newRoot := m.certificates[len(m.certificates)-1]
	if o.cross.CheckSignatureFrom(newRoot) != nil {
		return nil, nil
	}
	if !time.Now().Before(o.until()) {
		os.Remove(file) // best effort: it says itself that it is over
		return nil, nil
	}
	if err := o.check(spec, newRoot); err != nil {
		return nil, from.fault(err)
	}
	return o, nil
}

// check returns an error unless o is what [Renew] makes for spec: limited to
// it, and good for those who trust either root alone.
func (o *overlap) check(spec Spec, newRoot *x509.Certificate) error {
	old := material{o.key, []*x509.Certificate{o.signer, o.root}}
	if err := old.checkLimits(spec); err != nil {
		return err
	}
	hosts, _ := old.split(spec.Hosts)
	if _, err := old.trial(hosts); err != nil {
		return err
	}
	across := material{o.key, []*x509.Certificate{o.signer, o.cross, newRoot}}
	_, err := across.trial(hosts)
	return err
}

// beforeRenewal returns the CA in file, to be kept for a while; nil if it is not
// fit to. It is an error if there is an overlap already: those who trust only the
// first CA would be cut off.
func beforeRenewal(file string, spec Spec) (*material, error) {
	data, err := readPrivate(file)
	if err != nil {
		return nil, nil
	}
	m, err := parse(data, data)
	if err != nil || m.checkShape() != nil || m.checkLimits(spec) != nil {
		return nil, nil
	}
	hosts, _ := m.split(spec.Hosts)
	if _, err := m.trial(hosts); err != nil || time.Until(firstEnd(m.certificates)) <= overlapMargin {
		return nil, nil
	}
	if o, err := openOld(file, m, spec); err == nil && o != nil {
		return nil, origin{file, "wait until then; `ghapp-proxy ca --renew " + spec.Instance + " --at-once` cuts them off"}.faultf(
			"clients may trust only the root before the last renewal, until %s", o.until().Format(time.DateOnly))
	}
	return &m, nil
}

// crossSign returns a certificate by root for the root of m, which ends with the
// overlap. It needs no name constraints, since all that its key has signed is the
// intermediate with its own, and must have none: Java 17 fails with an
// ArrayIndexOutOfBoundsException where two certificates exclude IP addresses of
// both lengths.
func (m material) crossSign(root *x509.Certificate, rootKey crypto.Signer) (*x509.Certificate, error) {
	template := *m.certificates[1]
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-Backdate), now.Add(Overlap+overlapMargin)
	if end := firstEnd(m.certificates); end.Before(template.NotAfter) {
		template.NotAfter = end
	}
	return sign(&template, root, template.PublicKey, rootKey)
}

// writeOld keeps m beside its successor's file, or removes what is there if m is
// nil.
func writeOld(file string, m *material, cross *x509.Certificate) error {
	file = oldFile(file)
	if m == nil {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the CA before the renewal: %w", err)
		}
		return nil
	}
	data, err := encodePrivate(m.key, slices.Insert(slices.Clone(m.certificates), 1, cross))
	if err != nil {
		return err
	}
	return files.Write(file, data, 0o600, os.Rename)
}

// leave returns the hosts of the CA in dir that o has been before, and the rest:
// a host that o does not permit stays with the CA beside it that signed for it.
func (o *overlap) leave(dir string, spec Spec, rest []string) (hosts, others []string) {
	others = rest
	for _, host := range spec.Hosts {
		further := spec.further([]string{host})[0]
		_, err := os.Lstat(privateFile(dir, further))
		if !permits(o.signer.PermittedDNSDomains, host) && further.Instance != spec.Instance && err == nil {
			others = append(others, host)
		} else {
			hosts = append(hosts, host)
		}
	}
	return hosts, others
}
