package oidc

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// Limits are lists of [client.NAME] of which some elements have claims in them, as
// "{repository}". A list without any is nil here.
type Limits struct {
	Owners, Repositories, Push, DeleteRefs []string
}

// list is one of the Limits, under its key.
type list struct {
	key    string
	is     *[]string
	check  func(element, claim, value string) error // of a value in the place of {claim}
	parse  func(string) error
	widest func(element string) []string
}

func (l *Limits) lists() []list {
	owner := func(s string) error { _, err := rules.ParseOwnerGlob(s); return err }
	repository := func(s string) error { _, err := rules.ParseRepositoryGlob(s); return err }
	ref := func(s string) error { _, err := policy.ParseRefPattern(s); return err }
	return []list{
		{"owners", &l.Owners, checkName, owner, widestOwner},
		{"repositories", &l.Repositories, checkRepository, repository, widestRepository},
		{"push", &l.Push, checkRef, ref, widestRef},
		{"delete_refs", &l.DeleteRefs, checkRef, ref, widestRef},
	}
}

// Keys are those of the lists that have claims in them.
func (l *Limits) Keys() (keys []string) {
	for _, list := range l.lists() {
		if *list.is != nil {
			keys = append(keys, list.key)
		}
	}
	return keys
}

// place is where a claim stands in an element.
var place = regexp.MustCompile(`\{[^{}]*\}`)

// HasClaim reports whether an element of a list has a claim in it.
func HasClaim(element string) bool { return strings.ContainsAny(element, "{}") }

// Widest are the elements that stand for a list before there is a token: all that its
// claims could come to. key is that of the list.
func Widest(key string, elements []string) (widest []string, err error) {
	for _, list := range new(Limits).lists() {
		if list.key != key {
			continue
		}
		for _, element := range elements {
			for _, at := range place.FindAllString(element, -1) {
				if err := CheckPath(at[1 : len(at)-1]); err != nil {
					return nil, fmt.Errorf("%q: %w", element, err)
				}
			}
			if HasClaim(place.ReplaceAllString(element, "")) {
				return nil, fmt.Errorf("%q: a claim stands between { and }", element)
			}
			if !HasClaim(element) {
				widest = append(widest, element)
				continue
			}
			for _, wide := range list.widest(element) {
				if err := list.parse(wide); err != nil {
					return nil, fmt.Errorf("%q: %w", element, err)
				}
				widest = append(widest, wide)
			}
		}
	}
	return widest, nil
}

func widestOwner(element string) []string { return []string{place.ReplaceAllString(element, "*")} }

func widestRepository(element string) []string {
	if place.FindString(element) == element {
		return []string{"*/*"}
	}
	return widestOwner(element)
}

// widestRef ends where the first claim stands: a value may have slashes.
func widestRef(element string) []string {
	literal, _, _ := strings.Cut(element, "{")
	if begin := literal[:strings.LastIndex(literal, "/")+1]; begin != "" {
		return []string{begin + "**"}
	}
	return []string{"refs/**", "refs/tags/**"} // tags are granted by a pattern for tags only
}

// resolve puts the token's claims in their places. What a claim could widen is an
// error.
func (l *Limits) resolve(t *token) (resolved Limits, err error) {
	to := resolved.lists()
	for n, list := range l.lists() {
		for _, element := range *list.is {
			one, err := list.resolve(element, t)
			if err != nil {
				return Limits{}, err
			}
			*to[n].is = append(*to[n].is, one)
		}
	}
	return resolved, nil
}

func (l *list) resolve(element string, t *token) (string, error) {
	var bad error
	resolved := place.ReplaceAllStringFunc(element, func(at string) string {
		claim := at[1 : len(at)-1]
		value := scalar(t.value(claim))
		if err := l.check(element, claim, value); err != nil && bad == nil {
			bad = fault(Forged, fmt.Sprintf("the token's claim %s %v, so that it cannot stand in %s", claim, err, l.key))
		}
		return value
	})
	if bad != nil {
		return "", bad
	}
	if resolved != element && l.parse(resolved) != nil {
		return "", fault(Forged, fmt.Sprintf("what the token's claims come to in %s is no limit", l.key))
	}
	return resolved, nil
}

// scalar is a text or a number: what is true names nobody.
func scalar(v any) string {
	if _, is := v.(bool); is {
		return ""
	}
	return text(v)
}

var (
	errEmpty = errors.New("is missing or empty")
	errValue = errors.New("has characters that a name does not have")
)

// checkName checks the name of an owner or a repository, or a part of one.
func checkName(_, _, value string) error {
	if value == "" {
		return errEmpty
	}
	for _, c := range []byte(value) {
		if !github.IsNameByte(c) {
			return errValue
		}
	}
	if strings.Contains(value, "..") || value == "." {
		return errValue
	}
	return nil
}

// checkRepository lets a claim that is all of the element name the owner as well.
func checkRepository(element, claim, value string) error {
	owner, repository, both := strings.Cut(value, "/")
	if !both || element != "{"+claim+"}" {
		return checkName(element, claim, value)
	}
	if err := checkName(element, claim, owner); err != nil {
		return err
	}
	return checkName(element, claim, repository)
}

// checkRef checks the name of a ref, or a part of one: git-check-ref-format(1), and no
// character of a pattern.
func checkRef(element, claim, value string) error {
	if value == "" {
		return errEmpty
	}
	if !utf8.ValidString(value) || len(value) > 255 || !isPrintable(value) || strings.ContainsAny(value, " ~^:?*[]\\{}") || strings.Contains(value, "..") {
		return errValue
	}
	for part := range strings.SplitSeq(value, "/") {
		if part == "" || part[0] == '.' || part[len(part)-1] == '.' || strings.HasSuffix(part, ".lock") || part == "@" {
			return errValue
		}
	}
	return nil
}
