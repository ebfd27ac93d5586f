package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"ghapp-proxy/auth"
)

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs1() string { return pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKey())) }

func pkcs8(t testing.TB, key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", der)
}

// wrapLines breaks text after every 76 characters, as base64(1) does.
func wrapLines(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\n")
		s = s[76:]
	}
	return b.String() + s + "\n"
}

func TestParseKey(t *testing.T) {
	one, eight := pkcs1(), pkcs8(t, testKey())
	der8, _ := pem.Decode([]byte(eight))
	tests := map[string]string{
		"PKCS#1":                    one,
		"PKCS#8":                    eight,
		"PKCS#8 that says PKCS#1":   pemOf("RSA PRIVATE KEY", der8.Bytes),
		"PKCS#1 that says PKCS#8":   pemOf("PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKey())),
		"CRLF":                      strings.ReplaceAll(one, "\n", "\r\n"),
		"CR":                        strings.ReplaceAll(one, "\n", "\r"),
		"no newline at the end":     strings.TrimSpace(one),
		"space around":              "\n \t" + one + "\n\n",
		"indented":                  strings.ReplaceAll(one, "\n", "\n    "),
		"byte order mark":           "\ufeff" + one,
		"quotes":                    `"` + strings.TrimSpace(one) + `"`,
		`literal \n`:                strings.ReplaceAll(one, "\n", `\n`),
		`literal \r\n`:              strings.ReplaceAll(one, "\n", `\r\n`),
		`literal \n in quotes`:      `'` + strings.ReplaceAll(eight, "\n", `\n`) + `'`,
		`literal \\n`:               strings.ReplaceAll(one, "\n", `\\n`),
		`literal \n and line break`: strings.ReplaceAll(one, "\n", "\\n\n"),
		"spaces for line breaks":    strings.ReplaceAll(one, "\n", " "),
		"line breaks vanished":      strings.ReplaceAll(one, "\n", ""),
		"base64":                    base64.StdEncoding.EncodeToString([]byte(one)),
		"base64, no padding":        base64.RawStdEncoding.EncodeToString([]byte(one)),
		"base64url":                 base64.URLEncoding.EncodeToString([]byte(eight)),
		"base64 in lines":           wrapLines(base64.StdEncoding.EncodeToString([]byte(one))),
		`base64 of literal \n`:      base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(one, "\n", `\n`))),
		"text before":               "Bag Attributes\n    friendlyName: ci-bot\n" + one,
	}
	for name, text := range tests {
		key, err := auth.ParseKey([]byte(text))
		if err != nil {
			t.Errorf("%s: ParseKey = %v", name, err)
		} else if !key.Equal(testKey()) {
			t.Errorf("%s: ParseKey gave another key", name)
		}
	}
}

// encryptedPKCS1 is what `openssl rsa -aes128 -traditional` writes.
func encryptedPKCS1() string {
	return string(pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: bytes.Repeat([]byte{0xca}, 200),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,CA11AB1ECA11AB1ECA11AB1ECA11AB1E"},
	}))
}

func TestParseKeyErrors(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, _ := x509.MarshalECPrivateKey(ec)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := x509.MarshalPKIXPublicKey(&testKey().PublicKey)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &testKey().PublicKey, testKey())
	if err != nil {
		t.Fatal(err)
	}
	one := pkcs1()
	der8, _ := pem.Decode([]byte(pkcs8(t, testKey())))
	const canary = "Q0FOQVJZQ0FOQVJZQ0FOQVJZ" // base64 of CANARYCANARYCANARY
	fill := bytes.Repeat([]byte("CANARY"), 40)

	tests := []struct{ name, text, want string }{
		{"empty", "", "the key is empty"},
		{"blank", " \n\t", "the key is empty"},
		{"quotes only", `""`, "the key is empty"},
		{"prose", "CANARY is my key", "not a PEM key"},
		{"a path", "/etc/CANARY.pem", "not a PEM key"},
		{"base64 of prose", canary, "not a PEM key"},
		{"UTF-16", string(utf16le(one)), "UTF-16"},
		{"UTF-16 with a byte order mark", string(utf16le("\ufeff" + one)), "UTF-16"},
		{"UTF-16, the other order", string(utf16be("\ufeff" + one)), "UTF-16"},
		{"base64 of UTF-16", base64.StdEncoding.EncodeToString(utf16le("\ufeff" + one)), "UTF-16"},
		{"non-breaking spaces", strings.ReplaceAll(one, " ", "\u00a0"), "non-breaking spaces"},
		{"a non-breaking space in a line", strings.Replace(one, "\n", "\u00a0\n", 3), "non-breaking spaces"},
		{"long dashes", strings.ReplaceAll(one, "-----", "\u2014\u2014-"), "web page"},
		{"percent-encoded", url.PathEscape(one), "percent-encoded"},
		{"percent-encoded as in a form", url.QueryEscape(one), "percent-encoded"},
		{"percent-encoded line breaks", strings.ReplaceAll(one, "\n", "%0A"), "percent-encoded"},
		{"DER", string(x509.MarshalPKCS1PrivateKey(testKey())), "openssl pkey -inform DER"},
		{"DER in PKCS#8", string(der8.Bytes), "openssl pkey -inform DER"},
		{"no BEGIN and no END", strings.Join(strings.Split(one, "\n")[1:26], "\n"), "without its first and last line"},
		{"OpenSSH", pemOf("OPENSSH PRIVATE KEY", fill), "ssh-keygen -p -m pem"},
		{"EC", pemOf("EC PRIVATE KEY", ecDER), "not an RSA key"},
		{"EC with parameters", pemOf("EC PARAMETERS", fill) + pemOf("EC PRIVATE KEY", ecDER), "not an RSA key"},
		{"EC in PKCS#8", pkcs8(t, ec), "not an RSA key"},
		{"Ed25519 in PKCS#8", pkcs8(t, ed), "not an RSA key"},
		{"DSA", pemOf("DSA PRIVATE KEY", fill), "not an RSA key"},
		{"public key", pemOf("PUBLIC KEY", public), "a public key"},
		{"PKCS#1 public key", pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&testKey().PublicKey)), "a public key"},
		{"certificate", pemOf("CERTIFICATE", certificate), "a certificate"},
		{"PGP", pemOf("PGP PRIVATE KEY BLOCK", fill), "PEM of another kind"},
		{"unknown kind", pemOf("CANARY", fill), "PEM of another kind"},
		{"encrypted PKCS#8", pemOf("ENCRYPTED PRIVATE KEY", fill), "the key is encrypted"},
		{"encrypted PKCS#1", encryptedPKCS1(), "the key is encrypted"},
		{"encrypted PKCS#1 on one line", strings.ReplaceAll(encryptedPKCS1(), "\n", `\n`), "the key is encrypted"},
		{"first line of PKCS#1", "-----BEGIN RSA PRIVATE KEY-----", "only the first line"},
		{"first line of PKCS#8", "-----BEGIN PRIVATE KEY-----\n", "only the first line"},
		{`first line and \n`, `"-----BEGIN RSA PRIVATE KEY-----\n"`, "only the first line"},
		{"cut off", one[:len(one)/2], "damaged"},
		{"END of another kind", strings.Replace(one, "END RSA ", "END ", 1), "damaged"},
		{"no body", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "damaged"},
		{"a character lost", one[:100] + one[101:], "damaged"},
		{"a character changed", one[:100] + "!" + one[101:], "damaged"},
		{"a line lost", one[:32+65*3] + one[32+65*4:], "damaged"},
		{"other DER", pemOf("RSA PRIVATE KEY", fill), "damaged"},
		{"too short", pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)), "an RSA key of 1024 bits: GitHub issues 2048"},
	}
	for _, test := range tests {
		key, err := auth.ParseKey([]byte(test.text))
		if err == nil || key != nil {
			t.Errorf("%s: ParseKey = %v, %v, want an error", test.name, key != nil, err)
			continue
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: ParseKey = %q, want %q in it", test.name, err, test.want)
		}
		if leaked := quotes(err.Error(), test.text); leaked != "" {
			t.Errorf("%s: ParseKey = %q, which quotes %q", test.name, err, leaked)
		}
	}
}

// quotes returns a part of input that text contains: twelve characters of a
// line, the canary, or what encoding/asn1 says about what it saw.
func quotes(text, input string) string {
	for _, word := range append(strings.Fields(input), "CANARY CANARY", "Q0FOQVJZQ0FO", "tags don't match") {
		for ; len(word) >= 12 && !strings.HasPrefix(word, "-----"); word = word[1:] {
			if strings.Contains(text, word[:12]) {
				return word[:12]
			}
		}
	}
	if strings.Contains(text, "CANARY") {
		return "CANARY"
	}
	return ""
}

func utf16le(s string) (b []byte) {
	for _, c := range utf16.Encode([]rune(s)) {
		b = append(b, byte(c), byte(c>>8))
	}
	return b
}

func utf16be(s string) (b []byte) {
	for _, c := range utf16.Encode([]rune(s)) {
		b = append(b, byte(c>>8), byte(c))
	}
	return b
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\\nTUlJ\n-----END PRIVATE KEY-----"))
	f.Add([]byte("LS0tLS1CRUdJTg=="))
	f.Add([]byte(encryptedPKCS1()))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := auth.ParseKey(text)
		if (key == nil) == (err == nil) {
			t.Errorf("ParseKey = %v, %v", key != nil, err)
		}
	})
}
