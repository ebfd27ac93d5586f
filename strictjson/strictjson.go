// Package strictjson reads JSON in the one way in which all servers do, or not at
// all: encoding/json ignores the case of keys, takes the last of several, and
// replaces bytes that are not UTF-8.
//
//	value, err := strictjson.Read(`{"query": "{viewer{login}}"}`)
//	// value is strictjson.Object{{Key: "query", Value: "{viewer{login}}"}}
//
// What is read is bounded: see MaxValues and MaxNesting. Give it texts that are
// bounded, too.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of what is read; what exceeds them is an error.
const (
	MaxValues  = 50_000
	MaxNesting = 100 // of objects and arrays
)

// Object is an object in the order of the text.
type Object []Member

// Member is a key of an object, and its value. Keys are unique in their object.
type Member struct {
	Key   string
	Value any
}

// Scalar is a number, true or false, as it stands in the text.
type Scalar string

// Read reads one value: an Object, an []any, a string, a Scalar, or nil for null.
// It fails on text that is not JSON in UTF-8 or too large, and on an object with a
// key twice: servers differ on which they take. The error is a phrase to follow the
// name of the text: "is not UTF-8".
func Read(text []byte) (any, error) {
	switch {
	case !utf8.Valid(text):
		return nil, errors.New("is not UTF-8")
	case !json.Valid(text):
		return nil, errors.New("is not one JSON value")
	}
	r := reader{text: string(text), left: MaxValues}
	return r.value(0)
}

// reader reads text that json.Valid has accepted. It relies on that: it looks only
// where values begin and end.
type reader struct {
	text string
	at   int
	left int // how many values may follow
}

// value reads a value, as Read does.
func (r *reader) value(depth int) (any, error) {
	if r.left--; r.left < 0 {
		return nil, fmt.Errorf("has more than %d values", MaxValues)
	}
	if depth > MaxNesting {
		return nil, fmt.Errorf("is nested more than %d deep", MaxNesting)
	}
	switch r.peek() {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return r.string()
	default:
		return r.scalar(), nil
	}
}

// peek skips white space and returns the byte after it.
func (r *reader) peek() byte {
	for r.text[r.at] == ' ' || r.text[r.at] == '\t' || r.text[r.at] == '\r' || r.text[r.at] == '\n' {
		r.at++
	}
	return r.text[r.at]
}

// more skips the punctuation before the next element of an object or array,
// and reports whether there is one before the closing byte.
func (r *reader) more(closing byte) bool {
	c := r.peek()
	if c == closing {
		r.at++
		return false
	}
	if c == ',' {
		r.at++
		r.peek()
	}
	return true
}

func (r *reader) object(depth int) (any, error) {
	object := Object{}
	var keys keySet
	for r.at++; r.more('}'); {
		key, err := r.string()
		if err != nil {
			return nil, err
		}
		if !keys.add(key, object) {
			return nil, fmt.Errorf("has the key %s twice in one object", excerpt(key))
		}
		r.peek()
		r.at++ // the colon
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		object = append(object, Member{key, value})
	}
	return object, nil
}

// keySet finds keys that an object has twice. It is nil while they are few.
type keySet map[string]bool

// add adds a key to those of an object, and reports whether it was not there.
func (s *keySet) add(key string, object Object) bool {
	const few = 8
	if len(object) < few {
		return !slices.ContainsFunc(object, func(m Member) bool { return m.Key == key })
	}
	if *s == nil {
		*s = make(keySet, 2*few)
		for _, m := range object {
			(*s)[m.Key] = true
		}
	}
	was := (*s)[key]
	(*s)[key] = true
	return !was
}

// excerpt quotes the beginning of a key.
func excerpt(key string) string {
	const most = 40
	if len(key) <= most {
		return strconv.Quote(key)
	}
	return strconv.Quote(strings.ToValidUTF8(key[:most], "")) + "…"
}

func (r *reader) array(depth int) (any, error) {
	array := []any{}
	for r.at++; r.more(']'); {
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	return array, nil
}

func (r *reader) string() (string, error) {
	start, escaped := r.at, false
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			r.at++
			escaped = true
		}
	}
	r.at++
	if !escaped {
		return r.text[start+1 : r.at-1], nil
	}
	var s string
	if err := json.Unmarshal([]byte(r.text[start:r.at]), &s); err != nil {
		return "", errors.New("has a bad string")
	}
	return s, nil
}

func (r *reader) scalar() any {
	start := r.at
	n := strings.IndexAny(r.text[start:], ",]} \t\r\n")
	if n < 0 {
		n = len(r.text) - start
	}
	r.at += n
	if word := r.text[start:r.at]; word != "null" {
		return Scalar(word)
	}
	return nil
}
