package main

import (
	"iter"
	"strings"
)

// resolve follows a reference.
func resolve(doc, v object) object {
	ref, ok := v["$ref"].(string)
	if !ok {
		return v
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		doc = doc[part].(object)
	}
	return doc
}

// schemas are those that v contains or refers to, v's own first; what is referred
// to comes once.
func schemas(doc object, v any) iter.Seq[object] {
	return func(yield func(object) bool) { visit(doc, v, map[string]bool{}, yield) }
}

func visit(doc object, v any, seen map[string]bool, yield func(object) bool) bool {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if !visit(doc, x, seen, yield) {
				return false
			}
		}
	case object:
		if ref, ok := v["$ref"].(string); ok {
			if seen[ref] {
				return true
			}
			seen[ref] = true
			return visit(doc, resolve(doc, v), seen, yield)
		}
		if !yield(v) {
			return false
		}
		for key, x := range v {
			if key != "example" && key != "examples" && key != "default" && key != "enum" && !visit(doc, x, seen, yield) {
				return false
			}
		}
	}
	return true
}

// carriesRepositories reports whether the schemas that v contains or refers to
// have an object that could be a repository's. GitHub renders those by the same
// code wherever they stand, and some schemas leave out what it adds.
func carriesRepositories(doc object, v any) bool {
	for schema := range schemas(doc, v) {
		if isRepository(schema) || saysNothing(schema) {
			return true
		}
	}
	return false
}

// isRepository reports whether a schema is that of a repository, in one of the
// twenty forms that it has.
func isRepository(schema object) bool {
	properties, _ := schema["properties"].(object)
	return properties["temp_clone_token"] != nil || properties["full_name"] != nil && properties["private"] != nil
}

// saysNothing reports whether a schema is that of an object with any members.
func saysNothing(schema object) bool {
	if schema["type"] != "object" {
		return false
	}
	for _, key := range []string{"properties", "allOf", "oneOf", "anyOf"} {
		if schema[key] != nil {
			return false
		}
	}
	more, given := schema["additionalProperties"]
	members, _ := more.(object)
	return !given || more == true || given && members != nil && len(members) == 0
}
