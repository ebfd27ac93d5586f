package auth

import (
	"context"
	"strings"

	"ghapp-proxy/github"
)

// Want is what a request needs an installation token for.
type Want struct {
	Owner  github.Account   // zero if the request names nobody
	Others []github.Account // further ones: the token must be that of all, save for ids that are nobody's
	Read   bool             // the request only reads: it may leave anonymously

	Resource Resource // the limit that GitHub counts the request against

	App          string                // the name of the App to use, "" for any
	Installation github.InstallationID // the installation to use, 0 for the owner's
	Narrow       *github.Narrowing     // nil for all that the installation may do
	Within       *Scope                // confines all of it, nil for no limits

	namesAll bool // its token is narrowed to just what it names: there are very many of the kind
}

// counting returns ctx, without its limit unless the want chooses what GitHub is
// asked about: anybody can make up numbers of installations, and there are many
// narrowings, and sets of names.
func (w *Want) counting(ctx context.Context, inst *installation) context.Context {
	if w.namesAll || w.Installation != 0 && (w.Narrow != nil || !inst.isConfigured()) {
		return ctx
	}
	return unlimited(ctx)
}

// namesNobody reports whether there is nobody whose installation could be looked
// for: GitHub tells an App nothing of a team by id.
func (w *Want) namesNobody() bool { return w.Owner == (github.Account{}) || w.Owner.TeamID != 0 }

// isConfined reports whether the credential must be for less than its whole.
func (w *Want) isConfined() bool { return w.Within != nil || w.Narrow != nil }

// owners are all whom a want names.
func (w *Want) owners() []github.Account { return append([]github.Account{w.Owner}, w.Others...) }

// ofScope returns the want as that of the account on which all repositories of its
// Scope are, if it names nobody.
func (w Want) ofScope() Want {
	if w.Within == nil || len(w.Within.Names) == 0 || w.Owner != (github.Account{}) || len(w.Others) > 0 || w.Installation != 0 {
		return w
	}
	first := w.Within.Names[0]
	for _, other := range w.Within.Names {
		if !strings.EqualFold(other.Login, first.Login) {
			return w
		}
	}
	if w.Owner = first.WithoutRepo(); len(w.Within.Names) == 1 {
		w.Owner = first
	}
	return w
}
