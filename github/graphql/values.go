package graphql

import (
	"net/url"
	"slices"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/strictjson"

	"github.com/vektah/gqlparser/v2/ast"
)

// argument returns the text of a field's argument. It returns "" if the
// argument is absent, null, or no string; the last makes the document unclear.
func (w *walker) argument(f *ast.Field, name string) string {
	argument := f.Arguments.ForName(name)
	if argument == nil {
		return ""
	}
	text, ok := w.text(argument.Value)
	if !ok {
		w.doc.Unclear = true
	}
	return text
}

// text returns the value of a string, and false for what is neither a string
// nor null.
func (w *walker) text(v *ast.Value) (string, bool) {
	switch v.Kind {
	case ast.StringValue, ast.BlockValue:
		return v.Raw, true
	case ast.NullValue:
		return "", true
	case ast.Variable:
		known, byDefault, _ := w.variable(v.Raw) // value reports one that is not defined
		if known.isGiven {
			text, ok := known.value.(string)
			return text, ok || known.value == nil
		}
		if byDefault != nil {
			return w.text(byDefault) // a constant
		}
		return "", true
	}
	return "", false
}

// value visits the value of an argument or input field.
func (w *walker) value(key string, v *ast.Value, depth int) error {
	if err := w.step(depth); err != nil {
		return err
	}
	switch v.Kind {
	case ast.Variable:
		known, byDefault, defined := w.variable(v.Raw)
		switch {
		case !defined: // section 5.8.3
			return errorf("the variable %s is not defined", excerpt(v.Raw))
		case known.isGiven:
			return w.json(key, known.value, depth)
		case byDefault != nil:
			return w.value(key, byDefault, depth)
		}
	case ast.StringValue, ast.BlockValue:
		return w.leaf(key, v.Raw)
	case ast.IntValue, ast.FloatValue, ast.BooleanValue, ast.EnumValue:
		w.odd(key)
	case ast.ListValue, ast.ObjectValue:
		return w.children(key, v, depth)
	}
	return nil
}

// children visits the elements of a list, or the fields of an input object.
func (w *walker) children(key string, v *ast.Value, depth int) error {
	var names nameSet
	for _, child := range v.Children {
		below := key
		if v.Kind == ast.ObjectValue {
			below = child.Name
			if names.has(below) { // section 5.6.3
				return errorf("the input field %s is given twice", excerpt(below))
			}
		}
		if err := w.value(below, child.Value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// json visits the value of a variable.
func (w *walker) json(key string, value any, depth int) error {
	if err := w.step(depth); err != nil {
		return err
	}
	switch v := value.(type) {
	case string:
		return w.leaf(key, v)
	case strictjson.Scalar:
		w.odd(key)
	case []any:
		for _, element := range v {
			if err := w.json(key, element, depth+1); err != nil {
				return err
			}
		}
	case strictjson.Object:
		for _, m := range v {
			if err := w.json(m.Key, m.Value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaf adds whom a string names by the key that it stands under.
func (w *walker) leaf(key, text string) error {
	switch {
	case key == "repositoryNameWithOwner":
		if s := github.ParseFullName(text); s.Named() {
			return w.add(s)
		}
		w.doc.Unclear = true
		return nil
	case key == "subIssueUrl":
		return w.resource(text)
	case key == "headRefName" && strings.Contains(text, ":"): // OWNER:BRANCH, of a fork
		w.doc.Unclear = true
		return nil
	case (key == "ownerName" || key == "repositoryOwnerLogin") && text != "":
		if github.IsLogin(text) {
			return w.add(github.Account{Login: text})
		}
		w.doc.Unclear = true
		return nil
	}
	if !isNodeIDKey(key) {
		return nil
	}
	s, kind := github.NodeID(text)
	switch {
	case kind == github.UnknownID:
		w.doc.Unclear = true
		return nil
	case kind == github.PersonID && !slices.Contains(ownerKeys, key):
		return nil
	}
	return w.add(s)
}

// odd notes a value that is no string under a key that names somebody.
func (w *walker) odd(key string) {
	if slices.Contains(nameKeys, key) || isNodeIDKey(key) {
		w.doc.Unclear = true
	}
}

// nameKeys are the keys of GitHub's input objects under which somebody is named
// otherwise than by a node id.
var nameKeys = []string{"repositoryNameWithOwner", "subIssueUrl", "headRefName", "ownerName", "repositoryOwnerLogin"}

// ownerKeys are the keys under which the id of a user says whose the thing is.
var ownerKeys = []string{"id", "ids", "nodeId", "ownerId", "organizationId", "enterpriseId"}

// otherIDs are keys that look like those of node ids and are not: they hold
// texts of the client, the advisory database and Projects.
//
// Source: docs.github.com, GraphQL reference "Input objects" and "Queries".
var otherIDs = []string{"clientMutationId", "externalId", "ghsaId", "singleSelectOptionId", "iterationId"}

// people are the ends of keys that hold the ids of those who are assigned,
// asked, allowed or invited, in lower case: not of whose the thing is.
var people = []string{
	"actor", "admin", "assignee", "author", "bot", "invitee", "member", "reviewer", "sponsor", "sponsorable", "user",
}

// isNodeIDKey reports whether a key holds the node id of what is read or
// changed.
func isNodeIDKey(key string) bool {
	if key == "id" || key == "ids" {
		return true
	}
	stem, ok := strings.CutSuffix(strings.TrimSuffix(key, "s"), "Id")
	if !ok || key == "teamIds" || slices.Contains(otherIDs, key) {
		return false
	}
	for _, end := range people {
		if len(stem) >= len(end) && strings.EqualFold(stem[len(stem)-len(end):], end) {
			return false
		}
	}
	return true
}

// maxURL is how long a URL may be, in bytes, to be read.
const maxURL = 2048

// resource adds whom the URL of a page is about:
// https://HOST/OWNER[/REPO/…], …/orgs/ORG/… or …/enterprises/SLUG/….
func (w *walker) resource(link string) error {
	if link == "" {
		return nil
	}
	if len(link) > maxURL {
		w.doc.Unclear = true
		return nil
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawPath != "" {
		w.doc.Unclear = true
		return nil
	}
	host, _ := github.SplitHost(u.Host)
	if !slices.Contains(w.doc.ResourceHosts, host) {
		w.doc.ResourceHosts = append(w.doc.ResourceHosts, host)
	}
	if len(w.doc.ResourceHosts) > github.MaxSubjects {
		return tooMany()
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	second, _, _ := strings.Cut(rest, "/")
	s := github.ParseFullName(first + "/" + second)
	switch {
	case first == "orgs" || first == "users":
		s = github.Account{Login: second}
	case first == "enterprises":
		s = github.Account{Login: second, Enterprise: true}
	case second == "":
		s = github.Account{Login: first}
	}
	if !github.IsLogin(s.Login) {
		w.doc.Unclear = true
		return nil
	}
	return w.add(s)
}
