package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// document is a TOML file that is being read. What is wrong with it goes to
// the report, so that reading goes on.
type document struct {
	*report
	file   string // as the user named it
	path   string // the same, absolute
	dir    string // of path; relative paths start here
	home   string // what ~ stands for, "" if unknown
	places places
	root   *table

	tables []*table        // every table that was asked for
	known  map[string]bool // every key that was asked for, with * for a free name: app.*.id
}

// parseDocument reads TOML. It returns nil if the text is no TOML, which is
// then the one fault in r.
func parseDocument(r *report, file, path, home, text string) *document {
	doc := &document{
		report: r,
		file:   file,
		path:   path,
		dir:    filepath.Dir(path),
		home:   home,
		known:  map[string]bool{},
	}
	text = withoutMarks(text)
	values := map[string]any{}
	md, err := toml.Decode(text, &values)
	if err != nil {
		r.faults = append(r.faults, syntaxFault(file, text, err))
		return nil
	}
	doc.places = locate(text, md.Keys())
	doc.root = doc.newTable("", "", 0, values)
	return doc
}

// withoutMarks cuts the byte order marks that the TOML package skips.
func withoutMarks(text string) string {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			return withoutMarks(rest)
		}
	}
	return text
}

// syntaxFault describes an error of the TOML package without its quotations of
// the file, in which a key may have been pasted.
func syntaxFault(file, text string, err error) Fault {
	var parseErr toml.ParseError
	if !errors.As(err, &parseErr) {
		return Fault{File: file, Problem: "cannot be read as TOML"}
	}
	// Not ParseError.Line: in 1.6.0 that is the length of the item for most errors.
	line := min(max(parseErr.Position.Line, 1), strings.Count(text, "\n")+1)
	fault := Fault{File: file, Line: line, Problem: parseErr.Message}
	for _, s := range syntaxErrors {
		if strings.Contains(parseErr.Message, s.message) {
			fault.Problem, fault.Hint = s.problem, s.hint
			break
		}
	}
	if holdsSecret(strings.Split(text, "\n")[line-1]) {
		fault.Hint = "keys and secrets do not belong into this file: name a file, an environment variable or a command that has them"
	}
	return fault
}

// syntaxErrors are the messages of BurntSushi/toml 1.6.0 that quote the file or
// want explaining.
var syntaxErrors = []struct{ message, problem, hint string }{
	{"expected value but found", "expected a value", `text goes in quotes: key = "text"`},
	{"invalid datetime", "not a valid date or time", `text goes in quotes: key = "text"`},
	{"is out of range for", "the number is too large", ""},
	{"nvalid integer", "not a valid number", `text goes in quotes: key = "text"`},
	{"nvalid float", "not a valid number", `text goes in quotes: key = "text"`},
	{"cannot use sign", "not a valid number", ""},
	{"not a binary number", "not a valid number", ""},
	{"not an octal number", "not a valid number", ""},
	{"not a hexadecimal number", "not a valid number", ""},
	{"strings cannot contain newlines", "a string ends with its line", `the closing " is missing`},
}

// addFault notes that something is wrong at a key.
func (d *document) addFault(line int, key string, err error) {
	d.faults = append(d.faults, newFault(d.file, line, key, err))
}

// resolve makes a path of the file absolute.
func (d *document) resolve(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && d.home != "" {
		return filepath.Join(d.home, rest)
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.dir, path)
}

// finish reports the keys that nobody asked for. Call it when everything is read.
func (d *document) finish() {
	for _, t := range d.tables {
		for _, key := range t.names() {
			if !t.asked[key] {
				t.fault(key, withHint(t.suggest(key), "unknown key"))
			}
		}
	}
}

// suggest guesses what an unknown key was meant to be.
func (t *table) suggest(key string) string {
	if similar := closest(key, t.askedKeys()); len(similar) > 0 {
		return "did you mean " + orList(similar) + "?"
	}
	// The classic: a key of the top level below the header of a table.
	for _, other := range t.doc.tables {
		if other == t || !other.asked[key] || other.free {
			continue
		}
		if other.path == "" {
			return key + " is a key of the top level: move it above the first [table]"
		}
		name := strings.ReplaceAll(other.pattern, "*", "NAME")
		if strings.HasSuffix(other.path, "]") {
			name = "[" + name + "]"
		}
		return fmt.Sprintf("%s belongs in [%s]", key, name)
	}
	return ""
}
