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

	reading *Reading // notes the files that are named, nil does not

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
	values, md, text, err := decode(text, func(err error, text string) {
		r.faults = append(r.faults, syntaxFault(file, text, err))
	})
	if err != nil {
		return nil
	}
	doc.places = locate(text, md.Keys())
	doc.root = doc.newTable("", "", 0, values)
	return doc
}

// maxTwice bounds how many keys are passed over that are defined twice.
const maxTwice = 20

// decode reads TOML. A key that is defined again is reported, and passed over,
// so that it hides no other fault; the text is that without it.
func decode(text string, fault func(err error, text string)) (values map[string]any, md toml.MetaData, _ string, err error) {
	for range maxTwice {
		values = map[string]any{}
		var again error
		if md, again = toml.Decode(text, &values); again == nil {
			return values, md, text, nil
		}
		if err == nil || isTwice(again) { // else the line that was passed over was not all of it
			fault(again, text)
		}
		err = again
		parseErr, ok := errors.AsType[toml.ParseError](again)
		if !ok || !isTwice(again) {
			break
		}
		lines := strings.Split(text, "\n")
		line := parseErr.Position.Line - 1
		if line < 0 || line >= len(lines) || !strings.Contains(lines[line], "=") {
			break // a [table] has others below it
		}
		lines[line] = ""
		text = strings.Join(lines, "\n")
	}
	return nil, md, text, err
}

// isTwice reports whether a key is defined again, in the words of BurntSushi/toml
// 1.6.0.
func isTwice(err error) bool { return strings.Contains(err.Error(), "has already been defined") }

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
	if line > 1 && strings.Contains(parseErr.Message, `got '\n' instead`) {
		line-- // the place is after what is missing, at the end of its line
	}
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
	{"but got ':' instead", "not TOML", "this looks like YAML; in TOML it is key = \"text\", below a [table]"},
	{"but got '{' instead", "not TOML", "this looks like JSON; in TOML it is key = \"text\", below a [table]"},
	{"expected '.' or '='", "expected key = value", ""},
	{"expected '.' or ']' to end table name", "the ] of a [table] is missing", ""},
	{"invalid escape", `not an escape of TOML: in "…" a \ begins one`, `write paths of Windows in '…', where \ is itself`},
	{"hexadecimal digits after", `not an escape of TOML: in "…" a \ begins one`, `write paths of Windows in '…', where \ is itself`},
	{"has already been defined", "the key is there twice", "keep one of them"},
	{"strings cannot contain newlines", "a string ends with its line", `the closing " is missing`},
}

// addFault notes that something is wrong at a key.
func (d *document) addFault(line int, key string, err error) {
	d.faults = append(d.faults, newFault(d.file, line, key, err))
}

// resolve makes a path of the file absolute.
func (d *document) resolve(path string) string {
	path = expandHome(path, d.home)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.dir, path)
}

// expandHome puts the home directory in place of ~/, which a shell leaves in
// quotes and in what is assigned elsewhere: NAME=~/key.pem in an env file.
func expandHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return path
}

// finish reports the keys that nobody asked for. Call it when everything is read.
func (d *document) finish() {
	for _, t := range d.tables {
		if t.isKnown() {
			continue
		}
		for _, key := range t.names() {
			if !t.asked[key] {
				t.fault(key, withHint(t.suggest(key), "unknown key"))
			}
		}
	}
}

// isKnown reports whether somebody asked for each key.
func (t *table) isKnown() bool {
	for key := range t.values {
		if !t.asked[key] {
			return false
		}
	}
	return true
}

// otherNames are what keys are called elsewhere: in other tools, in GitHub's
// documentation and in the variables that stand for them here.
var otherNames = map[string]string{
	"app_id":           "id",
	"appid":            "id",
	"github_app_id":    "id",
	"private_key":      "private_key_file",
	"private_key_path": "private_key_file",
	"key":              "private_key_file",
	"key_file":         "private_key_file",
	"pem":              "private_key_file",
	"installation":     "default_installation",
	"installation_id":  "default_installation",
	"api_url":          "host",
	"base_url":         "host",
	"port":             "listen",
}

// suggest guesses what an unknown key was meant to be.
func (t *table) suggest(key string) string {
	if meant := otherNames[key]; t.asked[meant] {
		return fmt.Sprintf("did you mean %q?", meant)
	}
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
