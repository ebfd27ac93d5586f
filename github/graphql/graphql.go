package graphql

import "github.com/vektah/gqlparser/v2/ast"

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
func Read(body []byte) (Document, error) { return (*Cache)(nil).Read(body) }

// Read is the function Read for documents that are likely to have been read before.
func (c *Cache) Read(body []byte) (Document, error) {
	asked, err := readRequest(body)
	if err != nil {
		return Document{}, err
	}
	text, err := c.parse(asked.query)
	if err != nil {
		return Document{}, err
	}
	operation, err := text.operation(asked.operationName)
	if err != nil {
		return Document{}, err
	}
	var doc Document
	w := walker{doc: &doc, steps: maxSteps, fragments: text.fragments, operation: operation}
	w.give(asked.variables)
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
