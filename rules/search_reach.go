package rules

import (
	"slices"
	"strings"
	"unicode"

	"ghapp-proxy/github"
)

// searchReach tells how far the results of a search may be from whom its
// qualifiers name. Whatever a server might read in another way leads anywhere.
func searchReach(text string) Reach {
	if len(text) > maxSearch || strings.ContainsAny(text, `\()`) || strings.ContainsFunc(text, isOddSpace) || len(qualifierSubjects(text)) == 0 {
		return ReachAny
	}
	reach, found := ReachNamed, false
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		var term string
		if term, text = cutTerm(text); term == "" {
			return ReachAny
		}
		switch s, scopes := scopeOf(term); {
		case strings.EqualFold(term, "OR"), strings.EqualFold(term, "NOT"), scopes && !s.Named():
			return ReachAny
		case scopes && s.Repo == "":
			reach, found = ReachOwners, true
		case scopes:
			found = true
		}
	}
	if !found {
		return ReachAny
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

// scopeOf returns whom a term confines a search to, nobody if that cannot be told,
// and whether it is one that does.
func scopeOf(term string) (s github.Account, scoping bool) {
	name, _, ok := strings.Cut(term, ":")
	switch {
	case !ok || !isOneOf(name, scopes...):
		return github.Account{}, false
	case name != strings.ToLower(name):
		return github.Account{}, true // for servers that mind the case it is text
	}
	return qualified(term), true
}
