package rules

import (
	"errors"
	"fmt"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
)

// Pattern matches paths by whole segments: a word matches itself, whatever its
// escaping and case, "*" and "{name}" any one segment, and "**" at the end any
// number of them, none included. Make one with ParsePattern; the zero value
// matches "/" only.
//
// Paths are those of GitHub's documentation: a GHES instance's /api/v3 and
// /api/uploads are not part of them, nor is a repository's .git. Where a path
// has an empty segment or an escaped slash, a match in either reading counts,
// with and without it: GitHub reads "refs/heads%2Fmain" as "refs/heads/main".
type Pattern struct {
	text  string
	parts []part
	rest  bool // it ends with "**"
}

// part is one segment of a pattern.
type part struct {
	word string // unescaped
	any  bool   // any segment will do
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// ParsePattern reads a pattern such as /repos/{owner}/{repo}/issues/**.
func ParsePattern(s string) (Pattern, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return Pattern{}, errors.New("a path begins with a slash")
	case strings.ContainsAny(s, "?#"):
		return Pattern{}, errors.New("a path ends before the ? or #")
	}
	if err := github.CheckPath(s); err != nil {
		return Pattern{}, err
	}
	p := Pattern{text: s}
	for rest := s; ; {
		segment, tail, ok := cut(rest)
		switch {
		case !ok:
			return p, p.check()
		case p.rest:
			return Pattern{}, errors.New("** can only stand at the end")
		}
		rest = tail
		if err := p.add(segment); err != nil {
			return Pattern{}, err
		}
	}
}

// add appends one segment.
func (p *Pattern) add(segment string) error {
	name, braced := strings.CutPrefix(segment, "{")
	name, closed := strings.CutSuffix(name, "}")
	switch {
	case segment == "":
		return errors.New("an empty segment (//)")
	case segment == "**":
		p.rest = true
	case segment == "*", braced && closed && name != "" && !strings.ContainsAny(name, "{}*"):
		p.parts = append(p.parts, part{any: true})
	case strings.ContainsAny(segment, "{}*"):
		return fmt.Errorf("%q is no whole segment: a segment is a word, *, {name} or **", segment)
	case segment[0] == ':':
		return fmt.Errorf("write {%s} for any segment", segment[1:])
	default:
		word := github.Unescape(segment)
		if len(p.parts) == 1 && strings.HasSuffix(word, ".git") {
			word = gitRepository(word) // as readPath has it
		}
		p.parts = append(p.parts, part{word: word})
	}
	return nil
}

// check refuses what is cut off every path before it is matched.
func (p *Pattern) check() error {
	for _, base := range []string{"v3", "uploads", "graphql"} {
		if p.isWord(0, "api") && p.isWord(1, base) {
			return errors.New("patterns are for the path after /api/v3, /api/uploads or /api: leave that out")
		}
	}
	return nil
}

// isWord reports whether part i is that word.
func (p *Pattern) isWord(i int, word string) bool {
	return i < len(p.parts) && !p.parts[i].any && strings.EqualFold(p.parts[i].word, word)
}

// match reports whether the path matches, taken by its slashes. It looks at
// each byte of the path twice at most.
func (p *Pattern) match(path string) bool {
	for _, part := range p.parts {
		segment, rest, ok := cut(path)
		if !ok || !part.any && !github.SameSegment(segment, part.word) {
			return false
		}
		path = rest
	}
	_, _, more := cut(path)
	return p.rest || !more
}

// cut returns the first segment of an absolute path and what follows it. A
// path without segments is not ok; one slash at the end is no segment.
func cut(path string) (segment, rest string, ok bool) {
	if path == "" || path == "/" {
		return "", "", false
	}
	segment = path[1:]
	if i := strings.IndexByte(segment, '/'); i >= 0 {
		return segment[:i], segment[i:], true
	}
	return segment, "", true
}

// readings are the ways to read a path. The second is "" if there is but one.
type readings [2]string

// readPath returns the path of a request as patterns see it.
func readPath(req Request, route *Route) readings {
	path := req.Path
	if req.Host.Service == github.GHES {
		path = withoutBase(path)
	}
	web := req.Host.Service == github.Web || req.Host.Service == github.GHES
	if web && route.Form != answer.JSON && route.Subject.Repo != "" {
		path = withoutGit(path, route.Subject.Repo)
	}
	if plain := github.Slashed(path); plain != path {
		return readings{path, plain}
	}
	return readings{path}
}

// matchAny reports whether one of the patterns matches in one of the readings.
func (r *readings) matchAny(patterns []Pattern) bool {
	for i := range patterns {
		if patterns[i].match(r[0]) || r[1] != "" && patterns[i].match(r[1]) {
			return true
		}
	}
	return false
}

// withoutBase cuts what enterpriseServer tells the services of a GHES host by.
func withoutBase(path string) string {
	first, rest, _ := cut(path)
	second, tail, ok := cut(rest)
	switch {
	case !ok || !github.SameSegment(first, "api"):
		return path
	case github.SameSegment(second, "v3"), github.SameSegment(second, "uploads"):
		return tail
	case github.SameSegment(second, "graphql"):
		return rest
	}
	return path
}

// withoutGit puts the repository's plain name into a path of the web host.
func withoutGit(path, repo string) string {
	owner, rest, _ := cut(path)
	name, tail, _ := cut(rest)
	if name == repo {
		return path
	}
	return "/" + owner + "/" + repo + tail
}

// Glob matches owners or repositories without regard to case; "*" stands for
// any number of characters except the slash. Make one with ParseOwnerGlob or
// ParseRepositoryGlob.
type Glob string

// enterprises precedes the slug of an enterprise, whose name says nothing
// about an account of the same name.
const enterprises = "enterprises/"

// ParseOwnerGlob reads a glob for logins, or for enterprises/SLUG.
func ParseOwnerGlob(s string) (Glob, error) {
	name := strings.TrimPrefix(s, enterprises)
	switch {
	case strings.Contains(name, "/"):
		return "", errors.New("an owner has no slash")
	case !isGlob(name) || strings.Contains(name, "."):
		return "", fmt.Errorf("%q is not the login of an owner", s)
	}
	return Glob(s), nil
}

// ParseRepositoryGlob reads a glob for OWNER/REPOSITORY.
func ParseRepositoryGlob(s string) (Glob, error) {
	owner, repo, ok := strings.Cut(s, "/")
	if !ok || !isGlob(owner) || strings.Contains(owner, ".") || !isGlob(repo) {
		return "", fmt.Errorf("%q is not owner/repository", s)
	}
	return Glob(s), nil
}

// isGlob reports whether s could be a name with stars.
func isGlob(s string) bool {
	for _, c := range []byte(s) {
		if !github.IsNameByte(c) && c != '*' {
			return false
		}
	}
	return s != "" && len(s) <= 100
}

// MatchOwner reports whether g, a glob for owners, names the account or the
// enterprise of s.
func (g Glob) MatchOwner(s *github.Account) bool {
	pattern, enterprise := strings.CutPrefix(string(g), enterprises)
	return s.Login != "" && s.Enterprise == enterprise && matchStars(pattern, s.Login)
}

// MatchRepository reports whether g, a glob for repositories, names that of s.
func (g Glob) MatchRepository(s *github.Account) bool {
	owner, repo, _ := strings.Cut(string(g), "/")
	return s.Repo != "" && !s.Enterprise && matchStars(owner, s.Login) && matchStars(repo, s.Repo)
}

// MatchOwnerPart reports whether g, a glob for repositories, names any of the
// account of s.
func (g Glob) MatchOwnerPart(s *github.Account) bool {
	owner, _, _ := strings.Cut(string(g), "/")
	return s.Login != "" && !s.Enterprise && matchStars(owner, s.Login)
}

// covers reports whether g matches all that other does. A star of other is
// matched like a character, which only a star of g does.
func (g Glob) covers(other Glob) bool {
	a, b, slash := strings.Cut(string(g), "/")
	c, d, otherSlash := strings.Cut(string(other), "/")
	return slash == otherSlash && matchStars(a, c) && matchStars(b, d)
}

// matchStars reports whether s matches a pattern with stars. When it fails it
// goes back to the last star only, so that it takes len(pattern)·len(s) steps
// at most.
func matchStars(pattern, s string) bool {
	star, resume := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, resume = i, j
			i++
		case i < len(pattern) && lower(pattern[i]) == lower(s[j]):
			i++
			j++
		case star >= 0:
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// lower lowers an ASCII letter.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
