package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ghapp-proxy/github"
)

// table is one table of a document. Its methods each read one key: an absent
// key gives the zero value or the default and false, and so does a bad one,
// which is reported as well. So code that reads a table just asks for one key
// after the other; asking is also what makes a key a known one.
type table struct {
	doc     *document
	path    string // dotted, "" for the top level
	pattern string // path with * for free names
	line    int    // where the table is, 0 for the top level; an absent table is where the one around it is
	values  map[string]any
	asked   map[string]bool
	free    bool // its keys are names that the user chooses
}

func (d *document) newTable(path, pattern string, line int, values map[string]any) *table {
	t := &table{doc: d, path: path, pattern: pattern, line: line, values: values, asked: map[string]bool{}}
	d.tables = append(d.tables, t)
	return t
}

// fault reports that something is wrong with a key, or with the table as a
// whole if key is "".
func (t *table) fault(key string, err error) {
	line, path := t.place(key)
	t.doc.addFault(line, path, err)
}

// warn reports something that does not stop the program.
func (t *table) warn(key string, err error) {
	line, path := t.place(key)
	t.doc.warnings = append(t.doc.warnings, newFault(t.doc.file, line, path, err))
}

// place returns the line of a key, or the nearest to it, and its full name.
func (t *table) place(key string) (line int, path string) {
	if key == "" {
		return t.line, t.path
	}
	path = join(t.path, key)
	if line, ok := t.doc.places.lines[path]; ok {
		return line, path
	}
	return t.line, path
}

// names returns the keys in the order of the file.
func (t *table) names() []string {
	places := make(map[string]int, len(t.values))
	for key := range t.values {
		places[key] = t.doc.places.order[join(t.path, key)]
	}
	return slices.SortedFunc(maps.Keys(places), func(a, b string) int {
		return cmp.Or(cmp.Compare(places[a], places[b]), cmp.Compare(a, b))
	})
}

// freeNames is names for a table whose keys the user chooses.
func (t *table) freeNames() []string {
	t.free = true
	return t.names()
}

// has reports whether the file gives a value for key, right or wrong.
func (t *table) has(key string) bool {
	_, ok := t.lookup(key)
	return ok
}

// askedKeys returns the known keys, sorted.
func (t *table) askedKeys() []string { return slices.Sorted(maps.Keys(t.asked)) }

func (t *table) lookup(key string) (any, bool) {
	t.asked[key] = true
	t.doc.known[t.keyPattern(key)] = true
	v, ok := t.values[key]
	return v, ok
}

func (t *table) keyPattern(key string) string {
	if !t.free {
		return join(t.pattern, key)
	}
	if t.pattern == "" {
		return "*"
	}
	return t.pattern + ".*"
}

// read looks up a key of type T. A hint of "" is replaced by advice about quotes.
func read[T any](t *table, key, want, hint string) (T, bool) {
	var zero T
	v, ok := t.lookup(key)
	if !ok {
		return zero, false
	}
	typed, ok := v.(T)
	if !ok {
		t.fault(key, withHint(cmp.Or(hint, quotesHint[T](v)), "must be %s, not %s", want, typeName(v)))
		return zero, false
	}
	return typed, true
}

// quotesHint says what to do about the quotes of v, which was to be a T.
func quotesHint[T any](v any) string {
	_, wantText := any(*new(T)).(string)
	switch v.(type) {
	case string:
		return "write it without quotes"
	case int64, float64, bool, time.Time:
		if wantText {
			return "put it in quotes"
		}
	}
	return ""
}

// text reads a string, which must not be empty.
func (t *table) text(key string) (string, bool) {
	s, ok := read[string](t, key, "a string", "")
	if ok && s == "" {
		t.fault(key, withHint("leave the key out if it is not needed", "must not be empty"))
		return "", false
	}
	return s, ok
}

// boolean reads true or false.
func (t *table) boolean(key string, byDefault bool) bool {
	if b, ok := read[bool](t, key, "true or false", ""); ok {
		return b
	}
	return byDefault
}

// oneOf returns the one key of several that is given; "" if there is none, or
// more than one, which is reported.
func (t *table) oneOf(keys ...string) string {
	var given []string
	for _, key := range keys {
		if t.has(key) {
			given = append(given, key)
		}
	}
	switch len(given) {
	case 0:
		return ""
	case 1:
		return given[0]
	default:
		t.fault(given[1], withHint("keep one of them", "%s is given as well: the secret comes from one place", given[0]))
		return ""
	}
}

// installation reads the number of an installation, 0 if it is absent.
func (t *table) installation(key string) github.InstallationID {
	id, _ := t.positive(key)
	return github.InstallationID(id)
}

// positive reads an integer above zero.
func (t *table) positive(key string) (int64, bool) {
	n, ok := read[int64](t, key, "an integer", "")
	if ok && n <= 0 {
		t.fault(key, errors.New("must be positive"))
		return 0, false
	}
	return n, ok
}

// file reads a path and makes it absolute.
func (t *table) file(key string) (string, bool) {
	s, ok := t.text(key)
	if !ok {
		return "", false
	}
	if holdsSecret(s) {
		t.fault(key, withHint("save the secret in a file that only you can read (mode 0600) and give the path of that file",
			"holds the secret itself instead of the path of a file"))
		return "", false
	}
	return t.doc.resolve(s), true
}

// files reads a path, or an array of paths, and makes them absolute.
func (t *table) files(key string) ([]string, bool) {
	if v, _ := t.lookup(key); typeName(v) != "an array" {
		path, ok := t.file(key)
		return []string{path}, ok
	}
	paths, ok := t.words(key)
	for i := range paths {
		paths[i] = t.doc.resolve(paths[i])
	}
	return paths, ok
}

// argv reads a command as an array of strings.
func (t *table) argv(key string) ([]string, bool) {
	const hint = `one string for each word: ["op", "read", "op://vault/key"]`
	list, ok := read[[]any](t, key, "an array of strings", hint)
	if !ok {
		return nil, false
	}
	var words []string
	for i, v := range list {
		word, ok := v.(string)
		if !ok {
			t.fault(key, withHint(hint, "word %d must be a string, not %s", i+1, typeName(v)))
			return nil, false
		}
		words = append(words, word)
	}
	if len(words) == 0 || words[0] == "" {
		t.fault(key, withHint(hint, "names no command"))
		return nil, false
	}
	return words, true
}

// words reads an array of strings, none of which may be empty.
func (t *table) words(key string) ([]string, bool) {
	hint := key + ` = ["…", "…"]`
	list, ok := read[[]any](t, key, "an array of strings", hint)
	if !ok {
		return nil, false
	}
	if len(list) == 0 {
		t.fault(key, withHint("leave the key out if it is not needed", "must not be empty"))
		return nil, false
	}
	words := make([]string, len(list))
	for i, v := range list {
		word, ok := v.(string)
		switch {
		case !ok:
			t.fault(key, withHint(hint, "element %d must be a string, not %s", i+1, typeName(v)))
		case word == "" || holdsSecret(word):
			ok = false
			t.fault(key, withHint(hint, "element %d is empty, or a secret", i+1))
		}
		if !ok {
			return nil, false
		}
		words[i] = word
	}
	return words, true
}

// tables reads an array of tables, [[key]].
func (t *table) tables(key, hint string) []*table {
	v, ok := t.lookup(key)
	if !ok {
		return nil
	}
	list, ok := v.([]map[string]any)
	if inline, isArray := v.([]any); isArray {
		ok = true
		for _, v := range inline {
			values, isTable := v.(map[string]any)
			ok = ok && isTable
			list = append(list, values)
		}
	}
	if !ok {
		t.fault(key, withHint(hint, "must be an array of tables, not %s", typeName(v)))
		return nil
	}
	tables := make([]*table, len(list))
	for i, values := range list {
		path := element(join(t.path, key), i+1)
		line := cmp.Or(t.doc.places.lines[path], t.doc.places.lines[join(t.path, key)])
		tables[i] = t.doc.newTable(path, t.keyPattern(key), line, values)
	}
	return tables
}

// table reads a table; one that is absent or no table is an empty one.
func (t *table) table(key, hint string) *table {
	values, ok := read[map[string]any](t, key, "a table", hint)
	line := t.line
	if ok {
		line, _ = t.place(key)
	}
	return t.doc.newTable(join(t.path, key), t.keyPattern(key), line, values)
}

// typeName names the TOML type of a value.
func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a number with a fraction"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	case []any:
		return "an array"
	default:
		return fmt.Sprintf("a %T", v)
	}
}
