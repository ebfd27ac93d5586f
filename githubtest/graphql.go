package githubtest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// docsGraphQL is the documentation_url of a refused GraphQL request.
const docsGraphQL = "https://docs.github.com/graphql/guides/forming-calls-with-graphql#authenticating-with-graphql"

func graphqlRoutes() []route {
	return []route{post("/graphql", "", (*call).graphql)}
}

// field is a field of an object that takes arguments, or that is computed only
// when asked for.
type field = func(args obj) any

// gql is one GraphQL request under way. It walks the query and the world side by
// side, without a schema: a field that the world does not have is null.
type gql struct {
	c         *call
	fragments ast.FragmentDefinitionList
	variables obj
	path      []any
	depth     int
	errors    []any
}

// maxDepth ends fragments that contain themselves, which a schema would refuse.
const maxDepth = 200

// graphql is POST /graphql. Errors arrive with status 200:
// https://docs.github.com/en/graphql/guides/using-graphql-clients
func (c *call) graphql() reply {
	var body struct {
		Query         string `json:"query"`
		OperationName string `json:"operationName"`
		Variables     obj    `json:"variables"`
	}
	if c.access.token == nil {
		return problemDocs(http.StatusUnauthorized, "This endpoint requires you to be authenticated.", docsGraphQL)
	}
	if !c.decode(&body) || body.Query == "" {
		return problemDocs(http.StatusBadRequest, "Problems parsing JSON", docsGraphQL)
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: body.Query})
	if err != nil {
		return ok(obj{"errors": []any{obj{"message": err.Error()}}})
	}
	op := doc.Operations.ForName(body.OperationName)
	if op == nil {
		return ok(obj{"errors": []any{obj{"message": fmt.Sprintf("No operation named %q", body.OperationName)}}})
	}
	g := &gql{c: c, fragments: doc.Fragments, variables: defaults(op, body.Variables)}
	root := c.gqlQuery(g)
	if op.Operation == ast.Mutation {
		root = c.gqlMutation(g)
	}
	answer := obj{"data": g.object(op.SelectionSet, root)}
	if len(g.errors) > 0 {
		answer["errors"] = g.errors
	}
	return ok(answer)
}

// defaults completes the variables with the operation's default values.
func defaults(op *ast.OperationDefinition, given obj) obj {
	vars := obj{}
	for _, def := range op.VariableDefinitions {
		if def.DefaultValue != nil {
			vars[def.Variable], _ = def.DefaultValue.Value(nil)
		}
	}
	for name, v := range given {
		vars[name] = v
	}
	return vars
}

// fail records an error at the present path, and is null.
func (g *gql) fail(kind, format string, args ...any) any {
	g.errors = append(g.errors, obj{
		"type": kind, "path": append([]any(nil), g.path...), "message": fmt.Sprintf(format, args...),
	})
	return nil
}

// value resolves the selection on whatever v is.
func (g *gql) value(sel ast.SelectionSet, v any) any {
	switch v := v.(type) {
	case obj:
		if v == nil || len(sel) == 0 {
			return nil
		}
		return g.object(sel, v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			g.path = append(g.path, i)
			out[i] = g.value(sel, item)
			g.path = g.path[:len(g.path)-1]
		}
		return out
	}
	return v
}

func (g *gql) object(sel ast.SelectionSet, v obj) obj {
	out := obj{}
	g.collect(sel, v, out)
	return out
}

// collect resolves the fields that sel selects of v into out.
func (g *gql) collect(sel ast.SelectionSet, v, out obj) {
	if g.depth++; g.depth > maxDepth {
		return
	}
	defer func() { g.depth-- }()
	for _, s := range sel {
		switch s := s.(type) {
		case *ast.Field:
			if g.included(s.Directives) {
				g.field(s, v, out)
			}
		case *ast.InlineFragment:
			if g.included(s.Directives) && applies(s.TypeCondition, v) {
				g.collect(s.SelectionSet, v, out)
			}
		case *ast.FragmentSpread:
			if f := g.fragments.ForName(s.Name); f != nil && g.included(s.Directives) && applies(f.TypeCondition, v) {
				g.collect(f.SelectionSet, v, out)
			}
		}
	}
}

func (g *gql) field(f *ast.Field, v, out obj) {
	key := f.Alias
	if key == "" {
		key = f.Name
	}
	g.path = append(g.path, key)
	defer func() { g.path = g.path[:len(g.path)-1] }()
	x := v[f.Name]
	if compute, ok := x.(field); ok {
		x = compute(g.arguments(f))
	}
	x = g.value(f.SelectionSet, x)
	// The same field may be selected twice with different fields below.
	if before, ok := out[key].(obj); ok {
		if now, ok := x.(obj); ok {
			for k, v := range now {
				before[k] = v
			}
			return
		}
	}
	out[key] = x
}

func (g *gql) arguments(f *ast.Field) obj {
	args := obj{}
	for _, a := range f.Arguments {
		if v, err := a.Value.Value(g.variables); err == nil {
			args[a.Name] = v
		}
	}
	return args
}

// included evaluates @include and @skip.
func (g *gql) included(ds ast.DirectiveList) bool {
	for _, d := range ds {
		arg := d.Arguments.ForName("if")
		if arg == nil {
			continue
		}
		v, _ := arg.Value.Value(g.variables)
		if yes, _ := v.(bool); d.Name == "include" && !yes || d.Name == "skip" && yes {
			return false
		}
	}
	return true
}

// interfaces are the type conditions that fit objects of other type names.
var interfaces = map[string]bool{
	"Node": true, "Actor": true, "RepositoryOwner": true, "ProfileOwner": true, "Assignable": true,
	"Closable": true, "Comment": true, "Labelable": true, "UniformResourceLocatable": true,
}

func applies(condition string, v obj) bool {
	return condition == "" || interfaces[condition] || v["__typename"] == condition
}

// connection is a list as GraphQL pages through it:
// https://docs.github.com/en/graphql/guides/using-pagination-in-the-graphql-api
func connection(items []any) field {
	return func(args obj) any {
		from, to := 0, len(items)
		if n := position(text(args["after"])); n > 0 {
			from = min(n, to)
		}
		if n := integer(args["first"]); n > 0 {
			to = min(from+n, to)
		}
		if n := integer(args["last"]); n > 0 {
			from = max(to-n, from)
		}
		edges := []any{}
		for i := from; i < to; i++ {
			edges = append(edges, obj{"cursor": cursor(i + 1), "node": items[i]})
		}
		return obj{
			"totalCount": len(items), "nodes": append([]any{}, items[from:to]...), "edges": edges,
			"pageInfo": obj{
				"hasNextPage": to < len(items), "hasPreviousPage": from > 0,
				"startCursor": cursor(from + 1), "endCursor": cursor(to),
			},
		}
	}
}

func text(v any) string { s, _ := v.(string); return s }

// integer is an Int, from the query or from the JSON of the variables.
func integer(v any) int {
	switch v := v.(type) {
	case int64:
		return int(v)
	case float64:
		return int(v)
	}
	return 0
}

// texts is a list of text or enumeration values, or one of them.
func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, item := range list {
		if s := text(item); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// typeFields answers the introspection by which gh detects features.
func typeFields(name string, sample obj) obj {
	fields := []any{}
	for key := range sample {
		if !strings.HasPrefix(key, "__") {
			fields = append(fields, obj{"name": key})
		}
	}
	return obj{"__typename": "__Type", "name": name, "fields": field(func(obj) any { return fields })}
}
