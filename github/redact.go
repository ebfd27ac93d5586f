package github

import (
	"regexp"
	"strings"
	"unicode"
)

// maxRedacted bounds what of others' words is passed on, in bytes.
const maxRedacted = 300

// credentials matches JWTs and tokens of either format (docs.github.com
// "About authentication to GitHub"), in case an answer quotes what it refuses.
var credentials = regexp.MustCompile(`gh[a-z]_[0-9A-Za-z._-]{36,}|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+`)

// Redact makes others' words fit for one line of a log or an error: without
// credentials, in one line, and cut where they are long.
func Redact(words string) string {
	words = credentials.ReplaceAllString(words, "[redacted]")
	words = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, words)
	if len(words) > maxRedacted {
		words = strings.ToValidUTF8(words[:maxRedacted], "") + "…"
	}
	return words
}
