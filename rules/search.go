package rules

import (
	"strings"

	"ghapp-proxy/github"
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
	return qualifierSubjects(text)
}

// isSearchRead reports whether searchSubjects reads a search: it has one q
// parameter, if any, of a length that GitHub might accept.
func isSearchRead(rawQuery string) bool {
	n := 0
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); unescapeForm(name) == "q" {
			if n++; len(value) > maxSearch {
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

// maxSearch is how long a search may be, in bytes, to be read. GitHub allows
// 256 besides qualifiers and operators (docs.github.com "REST API endpoints
// for search", "Limitations on query length").
const maxSearch = 8192

// qualifierSubjects returns whom the qualifiers repo:, org: and user: of a
// search name: each once, in order of appearance, and nobody if they are more
// than maxSubjects or the text is longer than maxSearch.
//
// Negated qualifiers (-repo:…, NOT repo:…, also before a parenthesis) and the
// words of a quoted phrase name nobody, and neither do values that are no
// names, such as @me. AND, OR and parentheses otherwise make no difference: a
// search of several owners' repositories is about all of them.
//
// Sources: docs.github.com "Understanding the search syntax", "Searching
// issues and pull requests" and "Filtering and searching issues and pull
// requests" (parentheses and operators).
func qualifierSubjects(text string) []github.Account {
	if len(text) > maxSearch {
		return nil
	}
	var found []github.Account
	scan := searchScanner{text: text}
	for scan.next() {
		if scan.negated {
			continue
		}
		if s := qualified(scan.term); s.Named() {
			if found = appendSubject(found, s); len(found) > maxSubjects {
				return nil
			}
		}
	}
	return found
}

// qualified returns whom a single term names.
func qualified(term string) github.Account {
	name, value, ok := strings.Cut(term, ":")
	if !ok {
		return github.Account{}
	}
	value = unquote(value)
	switch {
	case strings.EqualFold(name, "repo"):
		return github.ParseFullName(value)
	case strings.EqualFold(name, "org"), strings.EqualFold(name, "user"):
		if github.IsLogin(value) {
			return github.Account{Login: value}
		}
	}
	return github.Account{}
}

// unquote strips the quotes off a value that is quoted as a whole. A value
// that contains others is no name.
func unquote(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}

// searchScanner cuts a search into its terms.
type searchScanner struct {
	text    string
	term    string // the term found, quotes included
	negated bool   // whether it is excluded

	not   bool // the next term or parenthesis is excluded
	depth int  // parentheses that are open inside an excluded one, with it
}

// next finds the next term that may be a qualifier. It skips quoted phrases.
func (s *searchScanner) next() bool {
	for s.text != "" {
		switch s.text[0] {
		case ' ', '\t', '\n', '\r':
			s.text = s.text[1:]
		case '(':
			if s.depth > 0 || s.not {
				s.depth++
			}
			s.text, s.not = s.text[1:], false
		case ')':
			s.depth = max(s.depth-1, 0)
			s.text, s.not = s.text[1:], false
		case '"':
			s.text, s.not = s.text[quotedLen(s.text):], false
		default:
			if s.word() {
				return true
			}
		}
	}
	return false
}

// word takes a term off the text and reports whether it may be a qualifier.
func (s *searchScanner) word() bool {
	n := termLen(s.text)
	s.term, s.text = s.text[:n], s.text[n:]
	minus := strings.HasPrefix(s.term, "-")
	switch {
	case s.term == "NOT", s.term == "-" && strings.HasPrefix(s.text, "("):
		s.not = true
		return false
	case s.term == "AND", s.term == "OR":
		s.not = false
		return false
	}
	s.negated = s.not || minus || s.depth > 0
	s.not = false
	return true
}

// termLen is the length of the term that s starts with: up to a space or
// parenthesis that is not within quotes.
func termLen(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\n', '\r', '(', ')':
			return i
		case '"':
			i += quotedLen(s[i:]) - 1
		}
	}
	return len(s)
}

// quotedLen is the length of the quoted phrase that s starts with, up to the
// end if it is not closed. A backslash escapes a quote ("Understanding GitHub
// Code Search syntax").
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
