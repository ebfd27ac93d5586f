package graphql

import (
	"errors"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// Read reads the body of a POST to the GraphQL endpoint. The error is a
// *Error.
//
// The body must be one JSON object with the keys query, variables,
// operationName and extensions and no others (docs.github.com "Forming calls
// with GraphQL", and GraphQL over HTTP, "Request Parameters"; a batch is not
// part of either). null stands for a key that is absent. What servers read in
// several ways is an error: keys in other case or given twice, anywhere; bytes
// that are not UTF-8; and in the document the line ends and quotes that its
// lexers disagree on.
//
// Subjects are found, at any depth and whatever a field's alias, from
//   - repository(owner:, name:), organization(login:), repositoryOwner(login:),
//     user(login:) and enterprise(slug:); organization(login: "a") {
//     repository(name: "b") } is a/b, and also a if it selects anything else;
//   - the qualifiers of search(query:), and the path of resource(url:);
//   - repositoryNameWithOwner, subIssueUrl, ownerName and repositoryOwnerLogin in
//     arguments and input objects, and the owner before a headRefName;
//   - node ids in arguments and input objects named id, ids, …Id or …Ids.
//
// Ids of users and bots are mostly not whose data is read or changed. They
// count in id, ids, nodeId, ownerId, organizationId and enterpriseId only.
// Fields that list people, such as assigneeIds, userIds, actorIds and teamIds
// (of a review), are not looked at. An enterprise's id names nobody.
//
// viewer, rateLimit, meta, __type, __schema and all other fields name nobody.
func Read(body []byte) (Document, error) {
	var doc Document
	asked, err := readRequest(body)
	if err != nil {
		return doc, err
	}
	parsed, err := parse(asked.query)
	if err != nil {
		return doc, err
	}
	operation, err := selectOperation(parsed.Operations, asked.operationName)
	if err != nil {
		return doc, err
	}
	w := walker{doc: &doc, steps: maxSteps}
	if err := w.prepare(parsed.Fragments, operation, asked.variables); err != nil {
		return Document{}, err
	}
	root := scope{root: true, typ: "Query"}
	if operation.Operation == ast.Mutation {
		root.typ = "Mutation"
	}
	if err := w.selections(operation.SelectionSet, root, 0); err != nil {
		return Document{}, err
	}
	doc.Mutation = operation.Operation == ast.Mutation
	doc.settle()
	return doc, nil
}

// parse parses a document. It is not validated: that takes GitHub's
// schema.
func parse(query string) (*ast.QueryDocument, error) {
	if err := checkLexical(query); err != nil {
		return nil, err
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if err == nil {
		return doc, nil
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

// selectOperation finds the operation that would run (GraphQL specification of
// October 2021, section 6.1, GetOperation). An empty name is no name.
func selectOperation(operations ast.OperationList, name string) (*ast.OperationDefinition, error) {
	if len(operations) == 0 {
		return nil, errorf("the document has no operation")
	}
	names := make(map[string]bool, len(operations))
	var selected *ast.OperationDefinition
	for _, operation := range operations {
		switch {
		case operation.Name == "" && len(operations) > 1: // section 5.2.2.1
			return nil, errorf("an operation without a name is not the only one")
		case names[operation.Name]: // section 5.2.1.1
			return nil, errorf("two operations have the name %s", excerpt(operation.Name))
		case operation.Name == name, name == "" && len(operations) == 1:
			selected = operation
		}
		names[operation.Name] = true
	}
	switch {
	case selected == nil && name == "":
		return nil, errorf("the document has several operations, and operationName does not say which to run")
	case selected == nil:
		return nil, errorf("the document has no operation with the name %s", excerpt(name))
	case selected.Operation != ast.Query && selected.Operation != ast.Mutation:
		return nil, errorf("the operation is a %s", selected.Operation)
	}
	return selected, nil
}
