package graphql

import (
	"errors"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// text is what the text of a document says, whatever the operationName and the
// variables. It is never changed: several requests may have the same one.
type text struct {
	operations []*operation
	fragments  map[string]*ast.FragmentDefinition
}

// operation is one that a document defines.
type operation struct {
	*ast.OperationDefinition
	variables map[string]int // name → its place among the definitions
	twice     string         // the name of a variable that is defined twice, "" if there is none
}

// parse parses a document. It is not validated: that takes GitHub's
// schema.
func parse(query string) (*text, error) {
	if err := checkLexical(query); err != nil {
		return nil, err
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if err == nil {
		return newText(doc)
	}
	// The parser's message may contain the text of a token, of any length.
	var at *gqlerror.Error
	if errors.As(err, &at) && len(at.Locations) > 0 {
		return nil, errorf("a syntax error in the document: line %d, column %d", at.Locations[0].Line, at.Locations[0].Column)
	}
	return nil, errorf("the document has more than %d tokens", maxTokens)
}

// checkLexical refuses documents that lexers cut into different tokens, so that a
// string to one is an operation to another:
//   - A carriage return alone ends a line by the specification (section 2.1,
//     "Line Terminators"), and with it a comment; in the pattern of
//     graphql-ruby's lexer (#.*$) it does not.
//   - A block string ends at the first """ (section 2.9.4); gqlparser 2.5.64
//     ends it at the last of a longer run of quotes (TestLexicalDifferences).
//     The escape \""" is read differently again.
func checkLexical(query string) error {
	for i := 0; i < len(query); i++ {
		switch query[i] {
		case '\r':
			if !strings.HasPrefix(query[i+1:], "\n") {
				return errorf("the document has a carriage return without a line feed")
			}
		case '"':
			run := len(query[i:]) - len(strings.TrimLeft(query[i:], `"`))
			if run > 3 || run == 3 && i > 0 && query[i-1] == '\\' {
				return errorf("the document has more than three quotes in a row, or three after a backslash")
			}
			i += run - 1
		}
	}
	return nil
}

// newText takes in the definitions of a document.
func newText(doc *ast.QueryDocument) (*text, error) {
	if len(doc.Operations) == 0 {
		return nil, errorf("the document has no operation")
	}
	t := &text{fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments))}
	names := make(map[string]bool, len(doc.Operations))
	for _, o := range doc.Operations {
		switch {
		case o.Name == "" && len(doc.Operations) > 1: // section 5.2.2.1
			return nil, errorf("an operation without a name is not the only one")
		case names[o.Name]: // section 5.2.1.1
			return nil, errorf("two operations have the name %s", excerpt(o.Name))
		}
		names[o.Name] = true
		t.operations = append(t.operations, newOperation(o))
	}
	for _, f := range doc.Fragments {
		switch {
		case t.fragments[f.Name] != nil: // section 5.5.1.1
			return nil, errorf("two fragments have the name %s", excerpt(f.Name))
		case len(f.VariableDefinition) > 0: // not part of the specification
			return nil, errorf("the fragment %s has variables", excerpt(f.Name))
		}
		t.fragments[f.Name] = f
	}
	return t, nil
}

func newOperation(definition *ast.OperationDefinition) *operation {
	o := &operation{OperationDefinition: definition, variables: make(map[string]int, len(definition.VariableDefinitions))}
	for i, v := range definition.VariableDefinitions {
		if _, ok := o.variables[v.Variable]; ok {
			o.twice = v.Variable
		}
		o.variables[v.Variable] = i
	}
	return o
}

// operation finds the operation that would run (GraphQL specification of
// October 2021, section 6.1, GetOperation). An empty name is no name.
func (t *text) operation(name string) (*operation, error) {
	var selected *operation
	for _, o := range t.operations {
		if o.Name == name || name == "" && len(t.operations) == 1 {
			selected = o
		}
	}
	switch {
	case selected == nil && name == "":
		return nil, errorf("the document has several operations, and operationName does not say which to run")
	case selected == nil:
		return nil, errorf("the document has no operation with the name %s", excerpt(name))
	case selected.Operation != ast.Query && selected.Operation != ast.Mutation:
		return nil, errorf("the operation is a %s", selected.Operation)
	case selected.twice != "": // section 5.8.1
		return nil, errorf("the variable %s is defined twice", excerpt(selected.twice))
	}
	return selected, nil
}
