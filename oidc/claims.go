package oidc

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Claim is what a claim of a token must be.
type Claim struct {
	// Path leads to it, with dots where it is nested. A name may have dots itself, as
	// kubernetes.io has: then nothing else may be meant.
	Path string
	// Any are patterns of which one must match its value, or one of its values.
	Any []Pattern
}

// Pattern matches the value of a claim, with regard to case: "*" stands for any
// characters but the slash, and "**" at the end for any. Make one with ParsePattern.
type Pattern struct {
	text string
	is   *regexp.Regexp
}

// maxPattern bounds patterns and paths, in bytes.
const maxPattern = 1024

// ParsePattern reads a pattern.
func ParsePattern(s string) (Pattern, error) {
	if s == "" || len(s) > maxPattern {
		return Pattern{}, errors.New("up to 1024 characters are allowed")
	}
	begin, rest := strings.CutSuffix(s, "**")
	if strings.Contains(begin, "**") {
		return Pattern{}, errors.New("** can only be at the end")
	}
	expression := `(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(begin), `\*`, `[^/]*`)
	if rest {
		expression += `.*`
	}
	is, err := regexp.Compile(expression + `\z`)
	return Pattern{s, is}, err
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

var pathForm = regexp.MustCompile(`^[A-Za-z0-9_:/@.-]{1,256}$`)

// CheckPath reports what does not lead to a claim.
func CheckPath(s string) error {
	if !pathForm.MatchString(s) || strings.Count(s, ".") > 8 {
		return errors.New("not the name of a claim")
	}
	return nil
}

// find returns what a path can lead to.
func find(claims map[string]any, path string) (found []any) {
	if v, ok := claims[path]; ok {
		found = append(found, v)
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := claims[path[:i]].(map[string]any); ok {
			found = append(found, find(inner, path[i+1:])...)
		}
	}
	return found
}

// value is the claim at a path; nil if there is none, or there are several.
func (t *token) value(path string) any {
	found := find(t.claims, path)
	switch {
	case len(found) == 1:
		return found[0]
	case len(found) == 0 && path == branch:
		// GitHub's tokens have ref only: docs.github.com, "OpenID Connect reference".
		if name, ok := strings.CutPrefix(text(t.value("ref")), "refs/heads/"); ok {
			return name
		}
	}
	return nil
}

// branch is the claim that is made of ref where it is missing.
const branch = "ref_name"

// text is a value that is one, "" for none.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// matched is the value of a claim that is as it must be.
func (c *Claim) matched(t *token) (value string, ok bool) {
	v := t.value(c.Path)
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, v := range list {
		if value := text(v); value != "" && isPrintable(value) && slices.ContainsFunc(c.Any, func(p Pattern) bool { return p.is.MatchString(value) }) {
			return value, true
		}
	}
	return "", false
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
