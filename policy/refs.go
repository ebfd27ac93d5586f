package policy

import (
	"errors"
	"slices"
	"strings"
)

// RefPattern matches full names of refs, with regard to case as git has it: "*"
// stands for any characters except the slash, and "**" as the last segment for
// one segment or more. Make one with ParseRefPattern; the zero value matches
// nothing.
type RefPattern struct {
	text  string
	parts []string // without a final "**"
	rest  bool     // it ends with "**"
}

const tags = "refs/tags/"

// ParseRefPattern reads a pattern such as refs/heads/agent/** or refs/tags/v*.
func ParseRefPattern(s string) (RefPattern, error) {
	if !strings.HasPrefix(s, "refs/") {
		return RefPattern{}, errors.New(`a ref begins with refs/: a branch is "refs/heads/NAME", a tag is "refs/tags/NAME"`)
	}
	p := RefPattern{text: s, parts: strings.Split(s, "/")}
	if last := len(p.parts) - 1; p.parts[last] == "**" {
		p.parts, p.rest = p.parts[:last], true
	}
	for _, part := range p.parts {
		switch {
		case part == "" || strings.ContainsAny(part, " ~^:?[\\\x7f") || strings.ContainsFunc(part, func(c rune) bool { return c < ' ' }):
			return RefPattern{}, errors.New("not the name of a ref")
		case strings.Contains(part, "**"):
			return RefPattern{}, errors.New("** can only be the whole last segment")
		}
	}
	if len(p.parts) < 2 && !p.rest {
		return RefPattern{}, errors.New("not the name of a ref")
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p RefPattern) String() string { return p.text }

// Match reports whether a ref matches.
func (p RefPattern) Match(ref string) bool {
	for i, part := range p.parts {
		segment, rest, more := strings.Cut(ref, "/")
		last := i == len(p.parts)-1 && !p.rest
		if segment == "" || more == last || !matchSegment(part, segment) {
			return false
		}
		ref = rest
	}
	return p.text != "" && (!p.rest || ref != "" && ref[0] != '/' && !strings.HasSuffix(ref, "/") && !strings.Contains(ref, "//"))
}

// grants is Match for what allows: tags are granted by patterns for tags only,
// since what people take for a release must not follow from a broad pattern.
func (p RefPattern) grants(ref string) bool {
	return p.Match(ref) && (!strings.HasPrefix(ref, tags) || strings.HasPrefix(p.text, tags))
}

// matchSegment reports whether s matches a pattern with stars. When it fails it
// goes back to the last star only.
func matchSegment(pattern, s string) bool {
	star, resume, i := -1, 0, 0
	for j := 0; j < len(s); {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, resume = i, j
			i++
		case i < len(pattern) && pattern[i] == s[j]:
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

// DecideRef says why the client may not move a ref, nil if it may. An update
// that deletes needs a pattern of DeleteRefs, wherever refs are limited.
func (c *Client) DecideRef(update RefUpdate) *Denial {
	if denial := c.decideRef(update); denial != nil {
		return denial
	}
	return c.firstWithin(func(limit *Client) *Denial { return limit.decideRef(update) })
}

func (c *Client) decideRef(update RefUpdate) *Denial {
	if !c.limitsRefs() {
		return nil
	}
	ref := update.Ref
	for i, p := range c.DenyPush {
		if p.Match(ref) {
			return c.deny(element("deny_push", i), "push to another branch, and open a pull request", "may not move %q", ref)
		}
	}
	granted := func(p RefPattern) bool { return p.grants(ref) }
	switch {
	case !strings.HasPrefix(ref, "refs/") || strings.Contains(ref, "//") || strings.HasSuffix(ref, "/"):
		return c.deny(c.refKey(), "give the full name of a ref, refs/heads/…", "may not move %q", ref)
	case update.Deletes():
		if !slices.ContainsFunc(c.DeleteRefs, granted) {
			return c.deny("delete_refs", orPatterns("delete", c.DeleteRefs), "may not delete %q", ref)
		}
	case c.Push != nil && !slices.ContainsFunc(c.Push, granted):
		return c.deny("push", orPatterns("push to", c.Push), "may not push to %q", ref)
	}
	return nil
}

// refKey is the first of the keys that limit refs.
func (c *Client) refKey() string {
	switch {
	case c.Push != nil:
		return "push"
	case c.DenyPush != nil:
		return "deny_push"
	}
	return "delete_refs"
}

// orPatterns is a remedy: the refs that would do.
func orPatterns(verb string, patterns []RefPattern) string {
	if len(patterns) == 0 {
		return ""
	}
	return "it may " + verb + " " + some(patterns)
}
