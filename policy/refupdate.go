package policy

import "strings"

// RefUpdate is one command of a push: what a ref points at, and what it shall.
type RefUpdate struct {
	Old, New string // object ids in hexadecimal, all zeros for none
	Ref      string // full name, such as "refs/heads/main"
}

// Deletes reports whether the ref shall go. git looks at the new id alone.
func (u RefUpdate) Deletes() bool { return strings.Trim(u.New, "0") == "" }
