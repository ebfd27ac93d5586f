package rules

import (
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// index finds the rules that may match a request without looking at each. A rule
// is filed under one of its conditions, the one that fewest others ask for. What is
// found there is no more than a guess: Set.match asks each rule itself, in the order
// of the file. So an index may find too many rules, and must never miss one.
type index struct {
	first *Rule // of those that it was made of
	rules int

	always   []int32 // rules that can be filed under nothing
	filed    map[label][]int32
	patterns patternNode

	fields  []int32 // filed under a root field
	named   []int32 // filed under whom they name
	denying struct {
		named, paths []int32 // those that deny, filed under names, or under a path
	}

	looksAtSubjects bool
	lastLimiting    int // the number of the last rule that isLimiting, -1 if there is none
}

// label is what a rule is filed under.
type label struct {
	kind  labelKind
	value string
}

type labelKind byte

const (
	byClient labelKind = iota
	byOperation
	byField // a root field of a document
	byPath  // in index.patterns
	byOwner // in small letters
	byRepository
	byReach // the owner of a repository that a rule denies
	byHost
	byMethod
)

// newIndex makes the index of some rules.
func newIndex(rules []Rule) *index {
	x := &index{first: &rules[0], rules: len(rules), filed: make(map[label][]int32), lastLimiting: -1}
	common := make(map[label]int)
	for i := range rules {
		for _, labels := range rules[i].labels() {
			for _, l := range labels {
				common[l]++
			}
		}
	}
	for i := range rules {
		x.add(int32(i), &rules[i], common)
	}
	return x
}

// isOf reports whether x is the index of these rules.
func (x *index) isOf(rules []Rule) bool {
	return x != nil && x.rules == len(rules) && x.first == &rules[0]
}

// labels are the conditions of a rule that it can be filed under: each has all
// values that meet it.
func (r *Rule) labels() (all [][]label) {
	add := func(kind labelKind, values []string) {
		labels := make([]label, 0, len(values))
		for _, v := range values {
			labels = append(labels, label{kind, v})
		}
		if len(labels) > 0 {
			all = append(all, labels)
		}
	}
	add(byClient, r.Clients)
	if operations := r.operationLabels(); len(operations) > 0 {
		all = append(all, operations)
	}
	var patterns []string
	for _, p := range r.Paths {
		patterns = append(patterns, p.shape())
	}
	add(byPath, patterns)
	if names := r.nameLabels(); len(names) > 0 {
		all = append(all, names)
	}
	add(byHost, r.Hosts)
	methods := r.Methods
	if slices.Contains(methods, "GET") {
		methods = append(slices.Clone(methods), "HEAD")
	}
	add(byMethod, methods)
	return all
}

func (r *Rule) operationLabels() (labels []label) {
	for _, operation := range r.Operations {
		labels = append(labels, label{byOperation, operation})
		if field, ok := strings.CutPrefix(operation, graphQLField); ok {
			labels = append(labels, label{byField, field})
		}
	}
	return labels
}

// nameLabels are the owners or the repositories of a rule, nil if it has none, or
// has stars in them.
func (r *Rule) nameLabels() (labels []label) {
	whole := func(g Glob) bool { return !strings.Contains(string(g), "*") }
	all := func(globs []Glob, has func(Glob) bool) bool {
		return len(globs) > 0 && !slices.ContainsFunc(globs, func(g Glob) bool { return !has(g) })
	}
	ofWhole := func(g Glob) bool { return whole(g.owner()) }
	switch {
	case all(r.Repositories, whole):
		for _, g := range r.Repositories {
			labels = append(labels, label{byRepository, smallLetters(string(g))})
			if r.Deny != "" {
				labels = append(labels, label{byReach, smallLetters(string(g.owner()))})
			}
		}
	case all(r.Owners, whole):
		for _, g := range r.Owners {
			labels = append(labels, label{byOwner, smallLetters(string(g))})
		}
	case all(r.Repositories, ofWhole):
		for _, g := range r.Repositories {
			labels = append(labels, label{byOwner, smallLetters(string(g.owner()))})
		}
	}
	return labels
}

// owner is the part of a glob for repositories that is about their owner.
func (g Glob) owner() Glob {
	owner, _, _ := strings.Cut(string(g), "/")
	return Glob(owner)
}

func smallLetters(s string) string { return string(appendSmall(nil, s)) }

// appendSmall appends s as Glob compares it.
func appendSmall(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, lower(s[i]))
	}
	return b
}

// add files a rule.
func (x *index) add(i int32, r *Rule, common map[label]int) {
	x.looksAtSubjects = x.looksAtSubjects || r.looksAtNames()
	if isLimiting(r) {
		x.lastLimiting = int(i)
	}
	var best []label
	fewest := 0
	for _, labels := range r.labels() {
		others := 0
		for _, l := range labels {
			others = max(others, common[l])
		}
		if best == nil || others < fewest {
			best, fewest = labels, others
		}
	}
	if best == nil {
		x.always = append(x.always, i)
		return
	}
	switch best[0].kind {
	case byPath:
		for _, p := range r.Paths {
			x.patterns.add(p, i)
		}
		if r.Deny != "" {
			x.denying.paths = append(x.denying.paths, i)
		}
		return
	case byOperation:
		if slices.ContainsFunc(r.Operations, isGraphQLField) {
			x.fields = append(x.fields, i)
		}
	case byOwner, byRepository:
		x.named = append(x.named, i)
		if r.Deny != "" {
			x.denying.named = append(x.denying.named, i)
		}
	}
	for _, l := range best {
		x.filed[l] = append(x.filed[l], i)
	}
}

// candidates appends the numbers of the rules that may match, in the order of the
// file.
func (x *index) candidates(found []int32, req Request, route *Route, paths *Paths) []int32 {
	found = append(found, x.always...)
	for _, l := range [...]label{{byClient, req.Client}, {byHost, req.Host.Name}, {byMethod, req.Method}, {byOperation, route.Operation}} {
		found = append(found, x.filed[l]...)
	}
	found = x.byFields(found, route)
	found = x.byPaths(found, paths)
	found = x.byNames(found, route, paths)
	slices.Sort(found)
	return slices.Compact(found)
}

// byFields finds what is filed under the root fields of a document; of one that is
// not read these may be any.
func (x *index) byFields(found []int32, route *Route) []int32 {
	switch {
	case len(x.fields) == 0 || route.Operation != "graphql":
		return found
	case route.Unclear:
		return append(found, x.fields...)
	}
	for _, field := range route.Fields {
		found = append(found, x.filed[label{byField, field}]...)
	}
	return found
}

// byPaths finds what is filed under the path in any of its readings. One by id, of
// which the name is not known, may be any.
func (x *index) byPaths(found []int32, paths *Paths) []int32 {
	if x.patterns.isEmpty() {
		return found
	}
	if len(paths.byID) > 0 {
		found = append(found, x.denying.paths...)
	}
	for _, in := range [...]*readings{&paths.sent, &paths.named, &paths.loose} {
		for _, path := range in {
			if path != "" {
				found = x.patterns.find(path, found)
			}
		}
	}
	return found
}

// byNames finds what is filed under whom a request names.
func (x *index) byNames(found []int32, route *Route, paths *Paths) []int32 {
	switch {
	case len(x.named) == 0:
		return found
	case route.isUnclear() || len(paths.byID) > 0:
		return append(found, x.named...)
	}
	found = x.bySubject(found, route, &route.Subject)
	if len(x.denying.named) == 0 {
		return found // one that allows has to match the first subject, too
	}
	if route.Reach != github.ReachNamed && (route.Reach == github.ReachAny || !route.Subject.Named()) {
		return append(found, x.denying.named...)
	}
	found = x.byLooseSubject(found, route, &route.Subject)
	for i := range route.Others {
		found = x.bySubject(found, route, &route.Others[i])
		found = x.byLooseSubject(found, route, &route.Others[i])
	}
	return found
}

func (x *index) byLooseSubject(found []int32, route *Route, s *github.Account) []int32 {
	if loose := lenient(*s); loose != *s {
		found = x.bySubject(found, route, &loose)
	}
	return found
}

// bySubject finds what is filed under one name, and what an answer that goes beyond
// the names may reach.
func (x *index) bySubject(found []int32, route *Route, s *github.Account) []int32 {
	if s.Login == "" {
		return found
	}
	var buffer [128]byte
	name := buffer[:0]
	if s.Enterprise {
		name = append(name, enterprises...)
	}
	name = appendSmall(name, s.Login)
	found = append(found, x.filed[label{byOwner, string(name)}]...)
	if route.Reach != github.ReachNamed {
		found = append(found, x.filed[label{byReach, string(name)}]...)
	}
	if s.Repo != "" {
		name = appendSmall(append(name, '/'), s.Repo)
		found = append(found, x.filed[label{byRepository, string(name)}]...)
	}
	return found
}
