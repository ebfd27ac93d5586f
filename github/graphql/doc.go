// Package graphql reads what is sent to GitHub's GraphQL endpoint: whom a document
// names, what it would run, and how far it may lead from whom it names.
//
//	document, err := graphql.Read(body)
//	if err != nil {
//		return err // a *graphql.Error: it is not certain how a server reads it
//	}
//	// document.Subjects, document.Fields, document.Mutation, document.Reach
//
// It is pure: no I/O, no clock, no state but a Cache of what it has parsed. What a user wants of such a request is
// not its business.
//
// # Limitations
//
// Documents are not validated: that takes the schema of the very instance. What a
// field leads to is known from GitHub's schema (npm package
// @octokit/graphql-schema); of one that GitHub has added since, the worst is
// assumed.
//
// # Rooms
//
// The files stand one above the other. What is in a file knows only what stands
// before it in this list: TestRooms checks it.
//
//	document: what there is to say, and the limits of what is read
//		document.go
//	request: the JSON around a document, and what a document says by itself
//		request.go text.go cache.go
//	walk: the fields and values that would run
//		walker.go values.go reach.go walk.go
//	all of it
//		graphql.go
package graphql
