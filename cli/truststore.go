package cli

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// trustStorePassword protects nothing: the certificates are public. It is the
// one that Java's own trust store has.
const trustStorePassword = pkcs12.DefaultPassword

// javaTrustStore is a bundle in the only form that Java reads from a file that it is named.
func javaTrustStore(bundle []byte) ([]byte, error) {
	// AES and SHA-256 need Java 8u301, 11.0.12 or newer; the older algorithms
	// are not to be had where FIPS 140 rules.
	return encodeTrustStore(pkcs12.Modern2023, bundle, trustStorePassword)
}

// openTrustStore is a bundle as Java's own store is since JDK 18: without a password, which nobody gives Java who did
// not choose the store. Since 8u301 and 11.0.12 it reads such a one, and takes no notice of a password that is given.
func openTrustStore(bundle []byte) ([]byte, error) {
	return encodeTrustStore(pkcs12.Passwordless, bundle, "")
}

func encodeTrustStore(form *pkcs12.Encoder, bundle []byte, password string) ([]byte, error) {
	var entries []pkcs12.TrustStoreEntry
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // some system's roots have faults that Go does not forgive
		}
		// Java keeps one of those that have the same name.
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: fmt.Sprintf("%d %s", len(entries), cert.Subject)})
	}
	if len(entries) == 0 {
		return nil, errors.New("make Java's trust store: no certificate")
	}
	store, err := form.EncodeTrustStoreEntries(entries, password)
	if err != nil {
		return nil, fmt.Errorf("make Java's trust store: %w", err)
	}
	return store, nil
}
