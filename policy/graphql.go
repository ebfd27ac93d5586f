package policy

import (
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// ParseGraphQLAccess reads the key graphql.
func ParseGraphQLAccess(s string) (GraphQLAccess, error) {
	for _, access := range []GraphQLAccess{GraphQLDeny, GraphQLRead, GraphQLWrite} {
		if access.String() == s {
			return access, nil
		}
	}
	return GraphQLUnset, fmt.Errorf("%q is none of deny, read, write", s)
}

// String returns the word of the configuration, "" for GraphQLUnset.
func (a GraphQLAccess) String() string { return [...]string{"", "deny", "read", "write"}[a] }

// ParseMutation checks the name of a root field.
func ParseMutation(s string) (string, error) {
	for i, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return "", errors.New("not the name of a mutation")
		}
	}
	return s, nil
}

// DecideGraphQLRequest says why a request to GraphQL cannot be judged by its
// document, nil if it can: a server might take something else than the body for
// the document, or read the body in another way. It says nothing about clients
// without limits.
func (c *Client) DecideGraphQLRequest(method, query string, header map[string][]string) *Denial {
	if !c.Limited() {
		return nil
	}
	why := ""
	switch {
	case method != "POST":
		why = "is not a POST"
	case query != "":
		why = "has a query string"
	case len(header["Content-Encoding"]) > 0:
		why = "is compressed"
	case !isPlainJSON(header["Content-Type"]):
		why = "is not application/json in UTF-8"
	default:
		return nil
	}
	return c.deny("", "send a POST of application/json, neither compressed nor with a query string", "has limits, and may not make a GraphQL request that %s", why)
}

func isPlainJSON(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(contentType[0])
	charset, has := params["charset"]
	return err == nil && media == "application/json" && (!has && len(params) == 0 || has && len(params) == 1 && strings.EqualFold(charset, "utf-8"))
}

// decideGraphQL is about what a document does.
func (c *Client) decideGraphQL(route *rules.Route, document *graphql.Document) *Denial {
	if route.Operation != "graphql" {
		return nil
	}
	switch {
	case c.GraphQL == GraphQLDeny:
		return c.deny("graphql", "use the REST API", "may not use GraphQL")
	case document == nil:
		return c.deny("", fmt.Sprintf("send a document in plain JSON, smaller than %d bytes", graphql.MaxBody), "has limits, and may not make a GraphQL request that cannot be read")
	case document.Credential != "":
		return c.deny("", "clone through the proxy, without a token", "has limits, and may not select %s, which is a credential", document.Credential)
	case !document.Mutation:
		return nil
	case c.GraphQL == GraphQLRead:
		return c.deny("graphql", "", "may only read by GraphQL, and this is a mutation")
	case c.ReadOnly:
		return c.deny("read_only", "", "may only read, and this is a mutation")
	}
	for _, field := range document.Fields {
		const remedy = "add it to mutations, if it is meant to"
		switch {
		case slices.Contains(c.Mutations, field), field == "__typename":
		case c.Mutations != nil:
			return c.deny("mutations", remedy, "may not run the mutation %q", field)
		case !KnownMutation(field):
			return c.deny("", remedy, "has limits, and may not run the mutation %q, which is none of those known here", field)
		}
	}
	return nil
}
