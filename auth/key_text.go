package auth

import (
	"bytes"
	"errors"
	"regexp"
	"unicode/utf8"
)

var (
	errUTF16    = errors.New("the key is text in UTF-16, as PowerShell's > writes it: save it as UTF-8 or ASCII, or use the file that GitHub let you download")
	errDressed  = errors.New("the key has characters of a web page or a word processor in it, such as non-breaking spaces: copy it from the file that GitHub let you download")
	errPercent  = errors.New("the key is percent-encoded, as for a URL: decode it first, or use the file that GitHub let you download")
	errDER      = errors.New("the key is binary (DER): convert it with `openssl pkey -inform DER -in KEY -out NEW`")
	errHeadless = errors.New("the key is base64 without its first and last line: put -----BEGIN RSA PRIVATE KEY----- and -----END RSA PRIVATE KEY----- around it, or use the file that GitHub let you download")
)

// percent matches what a key has where it is percent-encoded: a line break, a space,
// or what stands for one in a form.
var percent = regexp.MustCompile(`(?i)%0[ad]|-----BEGIN(%20|\+)|%2D%2D%2D%2D%2D`)

// derKey is how a PKCS#1 or PKCS#8 key of some length begins: a SEQUENCE whose
// length takes two octets (X.690, sections 8.1.3.5 and 8.9.1).
var derKey = []byte{0x30, 0x82}

// checkText explains what is no text that could have a PEM key in it, though a key
// may have been meant.
func checkText(text []byte) error {
	switch {
	case bytes.HasPrefix(text, derKey):
		return errDER
	case isUTF16(text):
		return errUTF16
	case percent.Match(text):
		return errPercent
	case utf8.Valid(text) && bytes.ContainsAny(text, "\u00a0\u202f\u200b\u2060\u2010\u2011\u2012\u2013\u2014\u2015\u2212"):
		return errDressed
	}
	return nil
}

// isUTF16 reports whether text has the byte order mark of UTF-16, or its dashes.
func isUTF16(text []byte) bool {
	for _, sign := range []string{"\xff\xfe", "\xfe\xff", "-\x00-\x00-\x00", "\x00-\x00-\x00-"} {
		if bytes.HasPrefix(text, []byte(sign)) || sign[0] < 0x80 && bytes.Contains(text, []byte(sign)) {
			return true
		}
	}
	return false
}
