package rules

import (
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/github/search"
)

// searchSubjects says whom the qualifiers of a REST search name. rawQuery is
// the request target after "?", as sent. What a server makes of several q
// parameters is its own business: they name nobody.
func searchSubjects(rawQuery string) []github.Account {
	var text string
	found := false
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if unescapeForm(name) != "q" {
			continue
		}
		if found {
			return nil
		}
		text, found = unescapeForm(value), true
	}
	return search.Subjects(text)
}

// isSearchRead reports whether searchSubjects reads a search: it has one q
// parameter, if any, of a length that GitHub might accept.
func isSearchRead(rawQuery string) bool {
	n := 0
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); unescapeForm(name) == "q" {
			if n++; len(value) > search.MaxLength {
				return false
			}
		}
	}
	return n <= 1
}

// unescapeForm decodes a name or value of a query string
// (https://url.spec.whatwg.org/#urlencoded-parsing).
func unescapeForm(s string) string {
	return github.Unescape(strings.ReplaceAll(s, "+", " "))
}
