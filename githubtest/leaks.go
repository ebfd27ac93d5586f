package githubtest

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
)

// Secrets returns every secret issued so far: tokens, private keys as PEM,
// client secrets.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secret)
}

// Leaks returns the secrets that occur in data, literally or within something
// that was encoded in base64, as the credentials of Basic authentication are. Of a
// private key any line counts.
func (s *Server) Leaks(data []byte) []string {
	var found []string
	for _, secret := range s.Secrets() {
		for _, needle := range needles(secret) {
			if bytes.Contains(data, []byte(needle)) {
				found = append(found, secret)
				break
			}
		}
	}
	return found
}

// needles are the texts that betray the secret.
func needles(secret string) []string {
	if strings.HasPrefix(secret, "-----BEGIN") {
		lines := strings.Split(strings.TrimSpace(secret), "\n")
		return lines[1 : len(lines)-1]
	}
	out := []string{secret}
	for shift := range 3 {
		core := base64Core(secret, shift)
		out = append(out, core, urlAlphabet.Replace(core))
	}
	return out
}

// urlAlphabet turns base64 into base64url.
var urlAlphabet = strings.NewReplacer("+", "-", "/", "_")

// base64Core is the part of base64 text that depends on the secret alone, if the
// secret follows shift bytes (modulo 3) of something else.
func base64Core(secret string, shift int) string {
	enc := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00"[:shift] + secret))
	first := (shift*8 + 5) / 6 // characters that bits before the secret touch
	last := (shift + len(secret)) * 8 / 6
	return enc[first:last]
}
