package graphql

import (
	"slices"

	"ghapp-proxy/github"
	"ghapp-proxy/github/search"
	"ghapp-proxy/strictjson"

	"github.com/vektah/gqlparser/v2/ast"
)

// give takes in the values of the variables that the operation defines.
func (w *walker) give(values strictjson.Object) {
	for _, m := range values {
		if i, ok := w.operation.variables[m.Key]; ok {
			if w.given == nil {
				w.given = make([]variable, len(w.operation.variables))
			}
			// A null that is given counts as given (section 6.1.2).
			w.given[i] = variable{m.Value, true}
		}
	}
}

func (w *walker) selections(set ast.SelectionSet, in scope, depth int) error {
	for _, selection := range set {
		err := w.step(depth)
		if err != nil {
			return err
		}
		switch s := selection.(type) {
		case *ast.Field:
			err = w.field(s, in, depth)
		case *ast.InlineFragment:
			err = w.selections(s.SelectionSet, in.as(s.TypeCondition), depth+1)
		case *ast.FragmentSpread:
			err = w.spread(s.Name, in, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spread visits a fragment, once in each scope.
func (w *walker) spread(name string, in scope, depth int) error {
	fragment := w.fragments[name]
	key := spread{name, in}
	switch {
	case fragment == nil: // section 5.5.2.1
		return errorf("the fragment %s is not defined", excerpt(name))
	case w.active[name]: // section 5.5.2.2
		return errorf("the fragment %s contains itself", excerpt(name))
	case w.done[key]:
		return nil
	}
	if w.active == nil {
		w.active, w.done = make(map[string]bool), make(map[spread]bool)
	}
	w.active[name], w.done[key] = true, true
	err := w.selections(fragment.SelectionSet, in.as(fragment.TypeCondition), depth+1)
	w.active[name] = false
	return err
}

// credentialFields are the fields of GitHub's schema that are credentials: to
// clone a private repository, and to sign in without an identity provider.
var credentialFields = []string{"tempCloneToken", "recoveryCodes"}

// field visits a field, its arguments and what is selected of it.
func (w *walker) field(f *ast.Field, in scope, depth int) error {
	if in.root {
		if !slices.Contains(w.doc.Fields, f.Name) {
			w.doc.Fields = append(w.doc.Fields, f.Name)
		}
		if len(w.doc.Fields) > maxRootFields {
			return errorf("the operation has more than %d different fields", maxRootFields)
		}
	}
	if slices.Contains(credentialFields, f.Name) {
		w.doc.Credential = f.Name
	}
	var names nameSet
	for _, argument := range f.Arguments {
		if names.has(argument.Name) { // section 5.4.2
			return errorf("the argument %s is given twice", excerpt(argument.Name))
		}
	}
	below, err := w.name(f, in)
	if err != nil {
		return err
	}
	named := f.Name == "repository" && in.owner != "" && w.argument(f, "name") != ""
	w.lead(f, in, &below, named)
	for _, argument := range f.Arguments {
		if err := w.value(argument.Name, argument.Value, depth+1); err != nil {
			return err
		}
	}
	return w.selections(f.SelectionSet, below, depth+1)
}

// name adds whom the field names by its own arguments, and returns the scope
// of what is selected of it.
func (w *walker) name(f *ast.Field, in scope) (below scope, err error) {
	if in.owner != "" && (f.Name != "repository" || f.Arguments.ForName("name") == nil) {
		if err := w.add(github.Account{Login: in.owner}); err != nil {
			return below, err
		}
	}
	switch f.Name {
	case "repository":
		return below, w.repository(f, in)
	case "organization", "repositoryOwner", "user":
		return w.account(f)
	case "enterprise":
		if slug := w.argument(f, "slug"); github.IsLogin(slug) {
			return below, w.add(github.Account{Login: slug, Enterprise: true})
		} else if slug != "" {
			w.doc.Unclear = true
		}
	case "search":
		return below, w.search(w.argument(f, "query"))
	case "resource":
		return below, w.resource(w.argument(f, "url"))
	}
	return below, nil
}

// repository is repository(owner:, name:), or repository(name:) of an account.
func (w *walker) repository(f *ast.Field, in scope) error {
	owner, name := w.argument(f, "owner"), w.argument(f, "name")
	if owner == "" {
		owner = in.owner
	}
	if owner == "" {
		return nil // of the viewer, or not the field that was meant
	}
	s := github.Account{Login: owner}
	if github.IsRepositoryName(name) {
		s.Repo = name
	} else {
		w.doc.Unclear = true
	}
	if !github.IsLogin(owner) {
		w.doc.Unclear = true
		return nil
	}
	return w.add(s)
}

// account is organization(login:), repositoryOwner(login:) or user(login:).
// The account itself is added with the first field that is not one of its
// repositories.
func (w *walker) account(f *ast.Field) (below scope, err error) {
	login := w.argument(f, "login")
	switch {
	case login == "":
		return below, nil
	case !github.IsLogin(login):
		w.doc.Unclear = true
		return below, nil
	case f.Name == "user" && isProfile(f.SelectionSet):
		w.doc.Profiles = github.AppendSubject(w.doc.Profiles, github.Account{Login: login})
		return below, w.full(w.doc.Profiles)
	case len(f.SelectionSet) == 0:
		return below, w.add(github.Account{Login: login})
	}
	return scope{owner: login}, nil
}

// isProfile reports whether nothing but plain fields is selected.
func isProfile(set ast.SelectionSet) bool {
	for _, selection := range set {
		if f, ok := selection.(*ast.Field); !ok || len(f.SelectionSet) > 0 || len(f.Arguments) > 0 {
			return false
		}
	}
	return len(set) > 0
}

// search adds whom the qualifiers of a search name. Long texts are more work
// than one step: a variable may be used again and again.
func (w *walker) search(text string) error {
	if len(text) > search.MaxLength {
		w.doc.Unclear = true
		return nil
	}
	w.steps -= len(text) / 4
	for _, s := range search.Subjects(text) {
		if err := w.add(s); err != nil {
			return err
		}
	}
	return nil
}
