package search

import (
	"slices"
	"strings"
	"unicode"

	"ghapp-proxy/github"
)

// Reach tells how far the results of a search may be from whom its qualifiers name. Whatever a server might read in another way leads anywhere.
func Reach(text string) github.Reach {
	if len(text) > MaxLength || strings.ContainsAny(text, `\()`) || strings.ContainsFunc(text, isOddSpace) || len(Subjects(text)) == 0 {
		return github.ReachAny
	}
	reach, found := github.ReachNamed, false
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		var term string
		if term, text = cutTerm(text); term == "" {
			return github.ReachAny
		}
		switch s, scopes := scopeOf(term); {
		case strings.EqualFold(term, "OR"), strings.EqualFold(term, "NOT"), scopes && !s.Named():
			return github.ReachAny
		case scopes && s.Repo == "":
			reach, found = github.ReachOwners, true
		case scopes:
			found = true
		}
	}
	if !found {
		return github.ReachAny
	}
	return reach
}

// isOddSpace reports a character at which servers may cut a search or not.
func isOddSpace(c rune) bool { return c != ' ' && (unicode.IsSpace(c) || unicode.IsControl(c)) }

// cutTerm cuts off the first term: a phrase, or a word of which the value may be a
// phrase. It returns "" for one with other quotes, and for one that says within
// quotes what would scope the search without them.
func cutTerm(text string) (term, rest string) {
	end := strings.IndexAny(text, ` "`)
	if end < 0 {
		return text, ""
	}
	if text[end] == ' ' {
		return text[:end], text[end:]
	}
	size := strings.IndexByte(text[end+1:], '"')
	if size < 0 || end > 0 && strings.IndexByte(text, ':') != end-1 {
		return "", ""
	}
	phrase, rest := text[end+1:end+1+size], text[end+size+2:]
	if rest != "" && rest[0] != ' ' || slices.ContainsFunc(scopes, func(s string) bool { return strings.Contains(strings.ToLower(phrase), s+":") }) {
		return "", ""
	}
	return text[:len(text)-len(rest)], rest
}

// scopes are the qualifiers that say in which repositories to search.
var scopes = []string{"repo", "org", "user", "owner", "enterprise"}

// scopeOf reports whether a term confines the search, and to whom: nobody if that
// cannot be told.
func scopeOf(term string) (s github.Account, scoping bool) {
	name, _, ok := strings.Cut(term, ":")
	switch {
	case !ok || !slices.ContainsFunc(scopes, func(s string) bool { return strings.EqualFold(s, name) }):
		return github.Account{}, false
	case name != strings.ToLower(name):
		return github.Account{}, true // for servers that mind the case it is text
	}
	return qualified(term), true
}
