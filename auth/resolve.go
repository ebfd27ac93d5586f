package auth

import (
	"context"
	"errors"
	"net/http"

	"ghapp-proxy/github"
)

// credentialOf returns the token of the first of the Apps that covers the
// owner; its inst is nil if none does.
func (s *Source) credentialOf(ctx context.Context, apps []*appState, want *Want) (Credential, error) {
	cred, err := s.resolve(ctx, apps, want)
	switch {
	case cred.inst != nil && cred.inst.discovered && !cred.inst.reappeared && isMissing(err):
		// It was uninstalled since, and may be installed anew: ask once more.
		cred.inst.vanish()
	case cred.inst != nil && want.Within != nil && isUngranted(err):
		// A repository or a permission was taken away since. What is still
		// asked for after that, GitHub has just refused, and is not asked again.
		s.scopes.forgetFacts(cred.inst)
		s.scopes.findAbsent(want.counting(ctx, cred.inst), cred, want, err)
	default:
		return cred, err
	}
	return s.resolve(ctx, apps, want)
}

// resolve finds the installation and gets its token.
func (s *Source) resolve(ctx context.Context, apps []*appState, want *Want) (Credential, error) {
	inst, err := s.installationOf(ctx, apps, want)
	fallback := inst == nil && s.fallback == FallbackDefault
	if fallback {
		inst = home(apps)
	}
	if inst == nil || err != nil {
		return Credential{}, err
	}
	fallback = fallback && want.Owner != github.Account{}
	cred := Credential{App: inst.App, Installation: inst.id, Fallback: fallback, inst: inst}
	if cred.narrow, err = s.scopes.confine(ctx, inst, want); err != nil {
		if _, ok := errors.AsType[*ScopeError](err); ok && fallback {
			return Credential{}, nil // as if there was no default installation
		}
		return cred, err
	}
	token := s.tokens.cached(&inst.minter, cred.narrow)
	if token == nil {
		if token, err = s.tokens.get(want.counting(ctx, inst), &inst.minter, cred.narrow); err != nil {
			return cred, err
		}
	}
	return cred.with(token), nil
}

// isUngranted reports whether GitHub does not mint for what was asked for: the
// installation does not have it.
func isUngranted(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && (refused.Status == http.StatusUnprocessableEntity || refused.Err == errOtherRepository)
}
