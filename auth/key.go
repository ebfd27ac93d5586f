package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ParseKey reads the private key of a GitHub App: PEM in PKCS#1 ("BEGIN RSA
// PRIVATE KEY", as GitHub hands it out) or PKCS#8. Keys travel in environment
// variables and secret stores, so literal \n are taken for line breaks, line
// breaks may have become spaces or have vanished, quotes around the whole are
// dropped, and base64 around the PEM is undone. The error names what was found
// instead and how to mend it; it never contains any of the input.
func ParseKey(text []byte) (*rsa.PrivateKey, error) {
	kind, body, err := readPEM(text)
	if err != nil {
		return nil, err
	}
	if err := checkKind(kind); err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte("4,ENCRYPTED")) { // Proc-Type (RFC 1421, section 4.6.1.1)
		return nil, errEncrypted
	}
	der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(body), nil)))
	if err != nil {
		return nil, errDamaged
	}
	key, err := parseDER(der)
	if err != nil {
		return nil, err
	}
	if bits := key.N.BitLen(); bits < 2048 {
		return nil, fmt.Errorf("an RSA key of %d bits: GitHub issues 2048", bits)
	}
	return key, nil
}

var (
	errEmpty     = errors.New("the key is empty")
	errNotPEM    = errors.New("not a PEM key: it must start with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN PRIVATE KEY-----")
	errFirstLine = errors.New(`only the first line of the key: in a .env file put it on one line with \n for the line breaks, or use a key file`)
	errDamaged   = errors.New("the PEM text is damaged: it needs its BEGIN and END lines and unchanged base64 between them; download or copy it again")
	errEncrypted = errors.New("the key is encrypted: decrypt it with `openssl rsa -in KEY -out NEW`, or have private_key_command print it decrypted")
	errNotRSA    = errors.New("not an RSA key: GitHub signs App JWTs with RS256 only; generate a key in the App's settings")
	errOpenSSH   = errors.New("an OpenSSH key: convert it with `ssh-keygen -p -m pem -f KEY`, if it is the App's RSA key at all")
	errPublic    = errors.New("a public key: the App's private key is needed (the .pem file that GitHub let you download once)")
	errCert      = errors.New("a certificate: the App's private key is needed (the .pem file that GitHub let you download once)")
	errOther     = errors.New("PEM of another kind: the App's RSA private key is needed (the .pem file that GitHub let you download once)")
)

// checkKind explains PEM that is no App key.
func checkKind(kind string) error {
	switch kind {
	case "RSA PRIVATE KEY", "PRIVATE KEY":
		return nil
	case "ENCRYPTED PRIVATE KEY":
		return errEncrypted
	case "OPENSSH PRIVATE KEY":
		return errOpenSSH
	case "EC PRIVATE KEY", "EC PARAMETERS", "DSA PRIVATE KEY":
		return errNotRSA
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return errPublic
	case "CERTIFICATE":
		return errCert
	default:
		return errOther
	}
}

var (
	lineBreaks = regexp.MustCompile(`(\\+[rn])+`) // escaped once or more often
	firstLine  = regexp.MustCompile(`^-----BEGIN [A-Z0-9 ]+-----$`)
	// pemBlock is more lenient than encoding/pem, which insists on line breaks.
	pemBlock = regexp.MustCompile(`(?s)-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END ([A-Z0-9 ]+)-----`)
)

// readPEM returns the first PEM block: its kind, and its base64 with headers
// and line breaks.
func readPEM(text []byte) (kind string, body []byte, err error) {
	text = bytes.Trim(text, " \t\r\n\"'\ufeff") // Windows adds a byte order mark, Docker keeps quotes
	if len(text) == 0 {
		return "", nil, errEmpty
	}
	if err := checkText(text); err != nil {
		return "", nil, err
	}
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		text, err = decodeBase64(text)
		switch {
		case err == nil && bytes.HasPrefix(text, derKey):
			return "", nil, errHeadless
		case err == nil && isUTF16(text):
			return "", nil, errUTF16
		case err != nil || !bytes.Contains(text, []byte("-----BEGIN")):
			return "", nil, errNotPEM
		}
	}
	text = bytes.TrimSpace(lineBreaks.ReplaceAll(text, []byte("\n")))
	if firstLine.Match(text) {
		return "", nil, errFirstLine
	}
	block := pemBlock.FindSubmatch(text)
	if block == nil || !bytes.Equal(block[1], block[3]) {
		return "", nil, errDamaged
	}
	return string(block[1]), block[2], nil
}

// decodeBase64 accepts both alphabets, with or without padding, over several lines.
func decodeBase64(text []byte) ([]byte, error) {
	s := strings.NewReplacer("\n", "", "\r", "", " ", "", "-", "+", "_", "/", "=", "").Replace(string(text))
	return base64.RawStdEncoding.DecodeString(s)
}

// parseDER reads PKCS#1 or PKCS#8, whichever it is.
func parseDER(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the key is damaged: download or copy it again") // err quotes parts of it
	}
	if rsaKey, ok := key.(*rsa.PrivateKey); ok {
		return rsaKey, nil
	}
	return nil, errNotRSA
}
