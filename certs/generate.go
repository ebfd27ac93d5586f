package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"time"
)

// generate makes an intermediate with its key, and the root that signed it,
// whose key nobody keeps. If before is not nil, that root also signs its root:
// cross.
func generate(spec Spec, before *material) (m material, cross *x509.Certificate, err error) {
	rootKey, root, err := authority(spec, "root")
	if err != nil {
		return m, nil, err
	}
	root.MaxPathLen = 2 // the intermediate, and the root before
	root, err = sign(root, root, rootKey.Public(), rootKey)
	if err != nil {
		return m, nil, err
	}
	key, intermediate, err := authority(spec, "issuing CA")
	if err != nil {
		return m, nil, err
	}
	intermediate.MaxPathLenZero = true
	intermediate.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	constrain(intermediate, spec)
	intermediate, err = sign(intermediate, root, key.Public(), rootKey)
	if err == nil && before != nil {
		cross, err = before.crossSign(root, rootKey)
	}
	return material{key, []*x509.Certificate{intermediate, root}}, cross, err
}

// authority returns a new key and what root and intermediate have in common.
func authority(spec Spec, role string) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	id, err := keyID(key)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	return key, &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName(spec.Instance, role, now, id)},
		SubjectKeyId:          id,
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(AuthorityLifetime),
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign,
	}, nil
}

// constrain limits template to the hosts of spec. Permitting DNS names says
// nothing about other kinds of names, so IP addresses are excluded one and all.
func constrain(template *x509.Certificate, spec Spec) {
	if spec.Unconstrained {
		return
	}
	template.PermittedDNSDomainsCritical = true
	template.PermittedDNSDomains = spec.permitted()
	template.ExcludedIPRanges = everyIP()
}

func everyIP() []*net.IPNet {
	return []*net.IPNet{
		{IP: make(net.IP, net.IPv4len), Mask: net.CIDRMask(0, 8*net.IPv4len)},
		{IP: make(net.IP, net.IPv6len), Mask: net.CIDRMask(0, 8*net.IPv6len)},
	}
}

// commonName returns a name for people, and different for every key: OpenSSL
// finds issuers by their name. RFC 5280, appendix A.1 (ub-common-name) allows
// 64 characters; a long instance is cut to fit.
func commonName(instance, role string, now time.Time, id []byte) string {
	tail := fmt.Sprintf(" %s %s %s", role, now.UTC().Format(time.DateOnly), hex.EncodeToString(id[:4]))
	name := "ghapp-proxy " + instance
	return name[:min(len(name), 64-len(tail))] + tail
}

// keyID is the subject key identifier of RFC 7093, section 2, method 1.
func keyID(key *ecdsa.PrivateKey) ([]byte, error) {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(point)
	return sum[:20], nil
}

// sign completes template for public, signed by parentKey.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, parentKey any) (*x509.Certificate, error) {
	// RFC 5280, section 4.1.2.2: positive, and 20 octets at most.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, parentKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
