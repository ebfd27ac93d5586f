package policy

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"ghapp-proxy/github/graphql"
)

// mutation is what is known of a root field of GraphQL mutations.
type mutation struct {
	twin  string // the operation of REST that does the same, "-" if none does
	admin bool   // the tag "admin" stands for it
	refs  bool   // it may move a ref, or let somebody push past the proxy
}

//go:embed mutations.txt
var mutationsText string

// mutations are those of mutations.txt, by name.
var mutations = sync.OnceValue(func() map[string]mutation {
	all := make(map[string]mutation, 512)
	for line := range strings.Lines(mutationsText) {
		if line[0] != '#' {
			f := strings.Fields(line)
			all[f[0]] = mutation{twin: f[1], admin: slices.Contains(f[2:], "admin"), refs: slices.Contains(f[2:], "refs")}
		}
	}
	all["__typename"] = mutation{}
	return all
})

// KnownMutation reports whether it is known what a root field of a mutation does.
func KnownMutation(name string) bool {
	_, ok := mutations()[name]
	return ok
}

// mutationOf is what is known of a mutation; of one that GitHub added later, the
// worst is assumed.
func mutationOf(name string) mutation {
	if m, ok := mutations()[name]; ok {
		return m
	}
	return mutation{admin: true, refs: true}
}

// firstMutation returns the first root field of a mutation that is such a one,
// "" if there is none.
func firstMutation(document *graphql.Document, is func(mutation) bool) string {
	if document == nil || !document.Mutation {
		return ""
	}
	for _, field := range document.Fields {
		if is(mutationOf(field)) {
			return field
		}
	}
	return ""
}

func isAdminMutation(m mutation) bool { return m.admin }

func isRefMutation(m mutation) bool { return m.refs }
