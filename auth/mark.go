package auth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
)

// pemLine is how many octets a line of PEM has: 64 characters of base64
// (RFC 7468, section 2).
const pemLine = 48

// keyLines are two lines of a key's PEM in each of its forms.
func keyLines(key *rsa.PrivateKey) []string {
	lines := linesOf(x509.MarshalPKCS1PrivateKey(key))
	if der, err := x509.MarshalPKCS8PrivateKey(key); err == nil { // an RSA key always has that form
		lines = append(lines, linesOf(der)...)
	}
	return lines
}

// linesOf are the lines at a third and at three quarters of a key. The first
// quarter is the modulus (RFC 8017, appendix A.1.2), which is no secret; what
// follows is: at these places the private exponent, and what it is modulo the
// primes.
func linesOf(der []byte) []string {
	line := func(at int) string {
		at -= at % pemLine
		return base64.StdEncoding.EncodeToString(der[at : at+pemLine])
	}
	return []string{line(len(der) / 3), line(len(der) * 3 / 4)}
}
