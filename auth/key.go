package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// ParseKey reads the private key of a GitHub App: PEM in PKCS#1 ("BEGIN RSA
// PRIVATE KEY", as GitHub hands it out) or PKCS#8. Literal \n are taken for
// line breaks, and PEM wrapped in base64 is unwrapped, because keys travel in
// environment variables. The error names what was found instead and how to
// mend it; it never contains any of the input.
func ParseKey(text []byte) (*rsa.PrivateKey, error) {
	text, err := unwrap(text)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the PEM text is damaged: it needs its BEGIN and END lines and unchanged base64 between them")
	}
	if block.Headers["Proc-Type"] == "4,ENCRYPTED" {
		return nil, errEncrypted
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the PKCS#1 key is damaged: %w", err)
		}
		return checkKey(key)
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the PKCS#8 key is damaged: %w", err)
		}
		rsaKey, ok := key.(*rsa.PrivateKey)
		if !ok {
			return nil, errNotRSA
		}
		return checkKey(rsaKey)
	}
	return nil, wrongKind(block.Type)
}

var (
	errEncrypted = errors.New("the key is encrypted: decrypt it with `openssl rsa -in KEY -out NEW`, or have private_key_command print it decrypted")
	errNotRSA    = errors.New("not an RSA key: GitHub signs App JWTs with RS256 only; generate a key in the App's settings")
)

// wrongKind explains a PEM block that is no App key.
func wrongKind(blockType string) error {
	switch blockType {
	case "ENCRYPTED PRIVATE KEY":
		return errEncrypted
	case "OPENSSH PRIVATE KEY":
		return errors.New("an OpenSSH key: convert it with `ssh-keygen -p -m pem -f KEY`, if it is the App's RSA key at all")
	case "EC PRIVATE KEY", "DSA PRIVATE KEY":
		return errNotRSA
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return errors.New("a public key: the App's private key is needed (the .pem file that GitHub let you download once)")
	case "CERTIFICATE":
		return errors.New("a certificate: the App's private key is needed (the .pem file that GitHub let you download once)")
	default:
		return fmt.Errorf("PEM of type %q: the App's RSA private key is needed", blockType)
	}
}

// unwrap undoes what environment variables and secret stores do to PEM text.
func unwrap(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, errors.New("the key is empty")
	}
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		decoded, err := decodeBase64(text)
		if err != nil || !bytes.Contains(decoded, []byte("-----BEGIN")) {
			return nil, errors.New("not a PEM key: it must start with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN PRIVATE KEY-----")
		}
		text = bytes.TrimSpace(decoded)
	}
	text = bytes.ReplaceAll(text, []byte(`\r`), nil)
	text = bytes.ReplaceAll(text, []byte(`\n`), []byte("\n"))
	if !bytes.Contains(bytes.TrimSpace(text), []byte("\n")) && bytes.HasSuffix(text, []byte("KEY-----")) && bytes.Count(text, []byte("-----")) == 2 {
		return nil, errors.New("only the first line of the key: in a .env file put it on one line with \\n for the line breaks, or use a key file")
	}
	return text, nil
}

// decodeBase64 accepts both alphabets, with or without padding, over several lines.
func decodeBase64(text []byte) ([]byte, error) {
	s := strings.NewReplacer("\n", "", "\r", "", " ", "", "-", "+", "_", "/", "=", "").Replace(string(text))
	return base64.RawStdEncoding.DecodeString(s)
}

// checkKey refuses keys that GitHub would not have issued.
func checkKey(key *rsa.PrivateKey) (*rsa.PrivateKey, error) {
	if key.N.BitLen() < 2048 {
		return nil, fmt.Errorf("an RSA key of %d bits: GitHub issues 2048", key.N.BitLen())
	}
	return key, nil
}
