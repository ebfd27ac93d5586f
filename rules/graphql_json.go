package rules

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// graphqlRequest is the body of a GraphQL request.
type graphqlRequest struct {
	query         string
	operationName string         // "" if there is none
	variables     map[string]any // values as jsonReader returns them
}

// readGraphQL decodes a body. encoding/json alone would not do: it ignores
// the case of keys, takes the last of several, and replaces bytes that are
// not UTF-8.
func readGraphQL(body []byte) (graphqlRequest, error) {
	var request graphqlRequest
	switch {
	case len(body) > MaxGraphQL:
		return request, graphqlErrorf("the body is larger than %d bytes", MaxGraphQL)
	case !utf8.Valid(body):
		return request, graphqlErrorf("the body is not UTF-8")
	case !json.Valid(body):
		return request, graphqlErrorf("the body is not one JSON value")
	}
	r := jsonReader{text: string(body), left: maxJSONValues}
	value, err := r.value(0)
	if err != nil {
		return request, err
	}
	object, ok := value.(jsonObject)
	if !ok {
		return request, graphqlErrorf("the body is not a JSON object")
	}
	for _, m := range object {
		if err := request.set(m.key, m.value); err != nil {
			return request, err
		}
	}
	if request.query == "" {
		return request, graphqlErrorf("the body has no query")
	}
	return request, nil
}

// set fills in a member of the body. null stands for a member that is absent.
func (r *graphqlRequest) set(key string, value any) error {
	ok := true
	switch key {
	case "query":
		r.query, ok = value.(string)
	case "operationName":
		r.operationName, ok = value.(string)
	case "variables":
		var object jsonObject
		object, ok = value.(jsonObject)
		r.variables = make(map[string]any, len(object))
		for _, m := range object {
			r.variables[m.key] = m.value
		}
	case "extensions":
		_, ok = value.(jsonObject)
	default:
		return graphqlErrorf("the body has the unknown key %s", excerpt(key))
	}
	if !ok && value != nil {
		return graphqlErrorf("the value of %s has the wrong type", key)
	}
	return nil
}

// jsonObject is an object in the order of the text.
type jsonObject []jsonMember

type jsonMember struct {
	key   string
	value any
}

// jsonScalar is a number, true or false, as it stands in the text.
type jsonScalar string

// jsonReader reads text that json.Valid has accepted. It relies on that: it
// looks only where values begin and end.
type jsonReader struct {
	text string
	at   int
	left int // how many values may follow
}

// value reads a value: a jsonObject, []any, string, jsonScalar or nil.
func (r *jsonReader) value(depth int) (any, error) {
	if r.left--; r.left < 0 {
		return nil, graphqlErrorf("the body has more than %d values", maxJSONValues)
	}
	if depth > maxNesting {
		return nil, graphqlErrorf("the body is nested more than %d deep", maxNesting)
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
func (r *jsonReader) peek() byte {
	for r.text[r.at] == ' ' || r.text[r.at] == '\t' || r.text[r.at] == '\r' || r.text[r.at] == '\n' {
		r.at++
	}
	return r.text[r.at]
}

// more skips the punctuation before the next element of an object or array,
// and reports whether there is one before the closing byte.
func (r *jsonReader) more(closing byte) bool {
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

func (r *jsonReader) object(depth int) (any, error) {
	object := jsonObject{}
	var seen nameSet
	for r.at++; r.more('}'); {
		key, err := r.string()
		if err != nil {
			return nil, err
		}
		if seen.has(key) {
			return nil, graphqlErrorf("the body has the key %s twice in one object", excerpt(key))
		}
		r.peek()
		r.at++ // the colon
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		object = append(object, jsonMember{key, value})
	}
	return object, nil
}

func (r *jsonReader) array(depth int) (any, error) {
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

func (r *jsonReader) string() (string, error) {
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
		return "", graphqlErrorf("the body has a bad string")
	}
	return s, nil
}

func (r *jsonReader) scalar() any {
	start := r.at
	n := strings.IndexAny(r.text[start:], ",]} \t\r\n")
	if n < 0 {
		n = len(r.text) - start
	}
	r.at += n
	if word := r.text[start:r.at]; word != "null" {
		return jsonScalar(word)
	}
	return nil
}

// nameSet finds names that occur twice. Few names take no memory.
type nameSet struct {
	few  [8]string
	n    int
	many map[string]bool
}

// has adds a name and reports whether it was there before.
func (s *nameSet) has(name string) bool {
	for _, other := range s.few[:min(s.n, len(s.few))] {
		if other == name {
			return true
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return false
	}
	if s.many == nil {
		s.many = make(map[string]bool)
	}
	was := s.many[name]
	s.many[name] = true
	return was
}
