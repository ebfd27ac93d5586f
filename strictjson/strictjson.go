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
	if !utf8.Valid(text) {
		return nil, errors.New("is not UTF-8")
	}
	r := reader{text: string(text), left: MaxValues}
	value, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.peek(); r.at < len(r.text) {
		return nil, errNotJSON
	}
	return value, nil
}

var errNotJSON = errors.New("is not one JSON value")

// reader reads text that is UTF-8 (RFC 8259).
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
		return r.scalar()
	}
}

// peek skips white space and returns the byte after it, 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take skips the byte c, and white space before it, and reports whether it was there.
func (r *reader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) object(depth int) (any, error) {
	r.at++
	if r.take('}') {
		return Object{}, nil
	}
	object := make(Object, 0, 4)
	var keys keySet
	for {
		if r.peek() != '"' {
			return nil, errNotJSON
		}
		key, err := r.string()
		switch {
		case err != nil:
			return nil, err
		case !keys.add(key, object):
			return nil, fmt.Errorf("has the key %s twice in one object", excerpt(key))
		case !r.take(':'):
			return nil, errNotJSON
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		object = append(object, Member{key, value})
		switch {
		case r.take('}'):
			return object, nil
		case !r.take(','):
			return nil, errNotJSON
		}
	}
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
	r.at++
	if r.take(']') {
		return array, nil
	}
	for {
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
		switch {
		case r.take(']'):
			return array, nil
		case !r.take(','):
			return nil, errNotJSON
		}
	}
}
