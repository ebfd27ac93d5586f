// Package search reads GitHub's searches: whom they name, and how far their results
// may be from those.
//
//	search.Subjects("is:open repo:acme/widgets")            // acme/widgets
//	search.Reach("is:open repo:acme/widgets")               // github.ReachNamed
//	search.Reach("is:open repo:acme/widgets OR is:closed")  // github.ReachAny
//
// The two err on different sides. Subjects has nobody whom a server might not mean;
// Reach is github.ReachAny as soon as a server might read the text otherwise.
package search

import (
	"strings"

	"ghapp-proxy/github"
)

// MaxLength is how long a search may be, in bytes, to be read. GitHub allows
// 256 besides qualifiers and operators (docs.github.com "REST API endpoints
// for search", "Limitations on query length").
const MaxLength = 8192

// Subjects returns whom the qualifiers repo:, org: and user: of a search name: each
// once, in order of appearance, and nobody if they are more than github.MaxSubjects
// or the text is longer than MaxLength.
//
// Negated qualifiers (-repo:…, NOT repo:…, also before a parenthesis) and the
// words of a quoted phrase name nobody, and neither do values that are no
// names, such as @me. AND, OR and parentheses otherwise make no difference: a
// search of several owners' repositories is about all of them.
//
// Sources: docs.github.com "Understanding the search syntax", "Searching
// issues and pull requests" and "Filtering and searching issues and pull
// requests" (parentheses and operators).
func Subjects(text string) []github.Account {
	if len(text) > MaxLength {
		return nil
	}
	var found []github.Account
	scan := scanner{text: text}
	for scan.next() {
		if scan.negated {
			continue
		}
		if s := qualified(scan.term); s.Named() {
			if found = github.AppendSubject(found, s); len(found) > github.MaxSubjects {
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

// scanner cuts a search into its terms.
type scanner struct {
	text    string
	term    string // the term found, quotes included
	negated bool   // whether it is excluded

	not   bool // the next term or parenthesis is excluded
	depth int  // parentheses that are open inside an excluded one, with it
}

// next finds the next term that may be a qualifier. It skips quoted phrases.
func (s *scanner) next() bool {
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
func (s *scanner) word() bool {
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
