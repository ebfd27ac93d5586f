package graphql

import (
	"github.com/vektah/gqlparser/v2/ast"

	"ghapp-proxy/github"
)

// walker visits what an operation would run and fills in a Document.
type walker struct {
	doc       *Document
	fragments map[string]*ast.FragmentDefinition
	operation *operation
	given     []variable // of the operation's, in its order; nil if none is given
	steps     int        // how many more may be taken

	active map[string]bool // fragments that are being visited
	done   map[spread]bool // fragments that were visited
}

// variable is the value that a request gives to a variable.
type variable struct {
	value   any // as strictjson returns it
	isGiven bool
}

// variable returns the value of a variable, or the default, nil if it has none. defined
// reports whether the operation defines it.
func (w *walker) variable(name string) (given variable, byDefault *ast.Value, defined bool) {
	i, ok := w.operation.variables[name]
	if !ok {
		return variable{}, nil, false
	}
	if w.given != nil && w.given[i].isGiven {
		return w.given[i], nil, true
	}
	return variable{}, w.operation.VariableDefinitions[i].DefaultValue, true
}

// scope is where a selection set stands.
type scope struct {
	root  bool   // it is the operation's own
	owner string // its fields are those of this account

	typ    string       // whose fields it has, "" if that is not known
	reach  github.Reach // how far it is from whom the document names
	free   bool         // nothing in it is anybody's
	parent bool         // it is the repository that another was forked from
	listed bool         // it is one of those that an account has, and its very name tells something
}

// as is the scope of what is selected only of objects of a type.
func (in scope) as(typ string) scope {
	if typ != "" {
		in.typ = typ
	}
	return in
}

// spread is a fragment in a scope. A second visit would find nothing new.
type spread struct {
	fragment string
	in       scope
}

// step counts the work and the depth.
func (w *walker) step(depth int) error {
	if w.steps--; w.steps < 0 {
		return errorf("the document expands to more than %d fields and values", maxSteps)
	}
	if depth > maxNesting {
		return errorf("the document is nested more than %d deep", maxNesting)
	}
	return nil
}

// add adds a subject.
func (w *walker) add(s github.Account) error {
	w.doc.Subjects = github.AppendSubject(w.doc.Subjects, s)
	return w.full(w.doc.Subjects)
}

func (w *walker) full(list []github.Account) error {
	if len(list) > github.MaxSubjects {
		return tooMany()
	}
	return nil
}

func tooMany() error {
	return errorf("the document names more than %d owners, repositories and ids", github.MaxSubjects)
}

// nameSet finds names that occur twice. Few names take no memory.
type nameSet struct {
	few  [8]string
	n    int
	many map[string]bool
}

// has adds a name and reports whether it was there before.
func (s *nameSet) has(name string) bool {
	for _, other := range s.few[:min(s.n, len(s.few))] {
		if other == name {
			return true
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return false
	}
	if s.many == nil {
		s.many = make(map[string]bool)
	}
	was := s.many[name]
	s.many[name] = true
	return was
}
