package rules

import (
	"fmt"
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// RuleFault is a rule, or an operation in one, that can never match.
type RuleFault struct {
	Rule      int    // from 1
	Operation string // the operation that does not exist; "" if the fault is another
	Problem   string
}

// Check finds rules that can never match. Known tells GitHub's operationIds; nil
// leaves the operations unchecked. What it reports is true, except for odd spellings
// of a path: a rule that denies sees more of them than the rule before it. It does not
// find everything: several earlier rules may cover a later one together.
func (set Set) Check(known func(operationID string) bool) []RuleFault {
	var faults []RuleFault
	for i := range set.Rules {
		rule := &set.Rules[i]
		for _, op := range rule.Operations {
			if known != nil && !known(op) && services[op] == nil && !isGraphQLField(op) {
				faults = append(faults, RuleFault{i + 1, op, fmt.Sprintf("GitHub has no operation %q", op)})
			}
		}
		if problem := rule.unreachable(set.Rules[:i]); problem != "" {
			faults = append(faults, RuleFault{Rule: i + 1, Problem: problem})
		}
	}
	return faults
}

// unreachable says why the rule never decides anything, "" if it may.
func (r *Rule) unreachable(earlier []Rule) string {
	only := func(list []string, word string) bool {
		return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool { return s != word })
	}
	switch {
	case only(r.Methods, "TRACE"):
		return "TRACE is refused whatever the rules say"
	case only(r.Operations, revoke):
		return revoke + " is refused whatever the rules say"
	case !r.meetsHosts():
		return "none of its hosts has one of its operations"
	}
	for i := range earlier {
		if earlier[i].covers(r) {
			return fmt.Sprintf("rule[%d] comes first and matches all that this one does", i+1)
		}
	}
	return ""
}

// services tells which services have the operations that are known by their
// structure rather than from GitHub's descriptions, besides those of a GHES.
var services = map[string][]github.Service{
	"web":              {github.Web},
	"info/refs":        {github.Web},
	"git-upload-pack":  {github.Web},
	"git-receive-pack": {github.Web},
	"lfs":              {github.Web},
	"archive":          {github.Web, github.Codeload},
	"raw":              {github.Raw},
	"uploads":          {github.Uploads},
	"graphql":          {github.API},
	"app":              {github.API},
	"api":              {github.API},
}

// IsOperation reports whether a rule may name an operation: KnownOperation, or
// one that is known by its structure, such as "git-upload-pack".
func IsOperation(id string) bool { return services[id] != nil || KnownOperation(id) }

// OperationIDs returns the operations that a rule may name, sorted.
func OperationIDs() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for op := range services {
			if !yield(op) {
				return
			}
		}
		for op := range operations().byID {
			if !yield(op) {
				return
			}
		}
	})
}

// meetsHosts reports whether one of the hosts may have one of the operations.
func (r *Rule) meetsHosts() bool {
	if len(r.Hosts) == 0 || len(r.Operations) == 0 {
		return true
	}
	return slices.ContainsFunc(r.Hosts, func(host string) bool {
		service := serviceOf(host)
		return service == github.GHES || slices.ContainsFunc(r.Operations, func(op string) bool {
			if at := services[op]; at != nil {
				return slices.Contains(at, service)
			}
			if isGraphQLField(op) {
				return service == github.API
			}
			return service == github.API || service == github.Uploads
		})
	})
}

// serviceOf tells what a served host is for by its name.
func serviceOf(name string) github.Service {
	instance := github.GitHubCom
	for _, prefix := range []string{"", "api.", "uploads."} {
		if web := strings.TrimPrefix(name, prefix); github.IsDataResidency(web) {
			instance = github.Instance(web)
		}
	}
	for _, host := range instance.Hosts() {
		if host.Name == name {
			return host.Service
		}
	}
	return github.GHES
}

// covers reports whether r matches every request that other matches. It may
// fail to see it, but is never wrong to say so.
func (r *Rule) covers(other *Rule) bool {
	return includes(r.Hosts, other.Hosts) &&
		coversAll(r.Methods, other.Methods, coversMethod) &&
		includes(r.Operations, other.Operations) &&
		includes(r.Clients, other.Clients) &&
		coversAll(r.Paths, other.Paths, Pattern.covers) &&
		r.coversSubjects(other)
}

// includes reports whether the condition a is met by all that b is met by.
func includes(a, b []string) bool {
	return coversAll(a, b, func(x, y string) bool { return x == y })
}

// coversAll reports whether each of b is covered by one of a. An empty
// condition covers all and is only covered by another one.
func coversAll[T any](a, b []T, covers func(a, b T) bool) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == 0
	}
	return !slices.ContainsFunc(b, func(y T) bool {
		return !slices.ContainsFunc(a, func(x T) bool { return covers(x, y) })
	})
}

// coversMethod reports whether a condition for the method a is met by b. GET includes
// HEAD.
func coversMethod(a, b string) bool { return a == b || a == "GET" && b == "HEAD" }

// covers reports whether p matches every path that other matches.
func (p Pattern) covers(other Pattern) bool {
	if len(p.parts) > len(other.parts) {
		return false
	}
	for i, part := range p.parts {
		theirs := other.parts[i]
		if !part.any && (theirs.any || part.word != theirs.word && !strings.EqualFold(part.word, theirs.word)) {
			return false
		}
	}
	return p.rest || !other.rest && len(p.parts) == len(other.parts)
}

// coversSubjects is covers for the owners and the repositories.
func (r *Rule) coversSubjects(other *Rule) bool {
	if len(r.Owners) == 0 && len(r.Repositories) == 0 {
		return true
	}
	if r.Deny == "" && other.Deny != "" && other.severalSubjects() {
		return false // r needs all of them to match, other only one
	}
	owners := coversAll(r.Owners, other.Owners, Glob.covers) ||
		len(other.Repositories) > 0 && coversAll(r.Owners, ownersOf(other.Repositories), Glob.covers)
	return owners && coversAll(r.Repositories, other.Repositories, Glob.covers)
}

// ownersOf returns the globs for the owners of repositories.
func ownersOf(repositories []Glob) []Glob {
	var owners []Glob
	for _, g := range repositories {
		owner, _, _ := strings.Cut(string(g), "/")
		owners = append(owners, Glob(owner))
	}
	return owners
}

// severalSubjects reports whether a request that matches may be about several:
// those are searches and GraphQL documents.
func (r *Rule) severalSubjects() bool {
	several := func(word string) bool { return word == "graphql" || strings.HasPrefix(word, "search") }
	if len(r.Operations) > 0 && !slices.ContainsFunc(r.Operations, several) {
		return false
	}
	return len(r.Paths) == 0 || slices.ContainsFunc(r.Paths, func(p Pattern) bool {
		return len(p.parts) == 0 || p.parts[0].any || several(strings.ToLower(p.parts[0].word))
	})
}
