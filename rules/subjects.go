package rules

import (
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// lenient is whom a lenient server might take the names for. It unescapes them more
// than once, and cuts path parameters, spaces, a format (.json), and ends that GitHub
// lets no repository's name have (.git, .wiki).
func lenient(s github.Account) github.Account {
	s.Login, s.Repo = lenientName(s.Login), lenientName(s.Repo)
	for {
		i := strings.LastIndexByte(s.Repo, '.')
		if i <= 0 || !isOneOf(s.Repo[i:], ".git", ".json", ".wiki") {
			return s
		}
		s.Repo = s.Repo[:i]
	}
}

func lenientName(name string) string {
	for range 3 {
		name = github.Unescape(name)
	}
	name, _, _ = strings.Cut(name, ";")
	return strings.TrimSpace(name)
}

func isOneOf(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(s, word) })
}
