package rules

// Subject is whom a request is about: the account whose installation it needs.
// At most one of Owner and the ids is set; the zero value names nobody.
type Subject struct {
	Owner      string // login or enterprise slug, unescaped
	Enterprise bool   // Owner is an enterprise's slug
	Repo       string // bare repository name, unescaped; "" if only an account is named

	RepositoryID int64 // /repositories/{id}, or a node id that names a repository
	AccountID    int64 // /organizations/{id}, /user/{id}, or a node id that names an account
	TeamID       int64 // /teams/{id}
}

// Named reports whether the subject names somebody.
func (s Subject) Named() bool { return s != Subject{} }
