package auth

import (
	"context"
	"errors"
	"slices"

	"ghapp-proxy/github"
)

// credentialFor returns the token for a want; its inst is nil if no
// installation was found.
//
// The first App that covers the owner serves it, until that App is exhausted: then
// the next one that covers it does. Where all are exhausted the first stays, so that
// the client reads what GitHub says about it.
func (s *Source) credentialFor(ctx context.Context, instance github.Instance, want *Want) (Credential, error) {
	apps := s.candidatesFor(instance, want)
	first, err := s.credentialOf(ctx, apps, want)
	if first.inst == nil || !want.takesAny(apps) {
		return first, err
	}
	if !first.exhausted(err, want.Resource) {
		s.noteReturn(first, want.Resource)
		return first, err
	}
	other, ok := s.standIn(ctx, apps, first, want)
	if !ok {
		return first, err
	}
	s.notePassedOver(first, other, want.Resource, err)
	other.standIn = true
	return other, nil
}

// takesAny reports whether any App will do that covers the owner. A narrowed
// token is asked of the App whose permissions it was written for.
func (w *Want) takesAny(apps []*appState) bool {
	return len(apps) > 1 && w.Installation == 0 && w.Narrow == nil
}

// exhausted reports whether another App should serve: GitHub's limit is reached, or
// it refuses to mint for this one.
func (c Credential) exhausted(err error, r Resource) bool {
	if err != nil {
		return isOfApp(err)
	}
	quota := c.inst.quota
	return quota.windows[r].exhausted(c.inst.clock.now()) || r != ResourceNone && !quota.bucket.PausedUntil().IsZero()
}

// standIn returns the token of the next App that covers the owner in the same
// way as the first, and is not exhausted.
func (s *Source) standIn(ctx context.Context, apps []*appState, first Credential, want *Want) (other Credential, ok bool) {
	for last := first; ; last = other {
		apps = standIns(apps, last.inst.of, first, want)
		if len(apps) == 0 {
			return Credential{}, false
		}
		var err error
		other, err = s.credentialOf(ctx, apps, want)
		if other.inst == nil || other.inst.discovered != first.inst.discovered || other.Fallback != first.Fallback {
			return Credential{}, false
		}
		_, outside := errors.AsType[*ScopeError](err)
		if !outside && !other.exhausted(err, want.Resource) {
			return other, err == nil
		}
	}
}

// standIns are the Apps besides one that may serve instead of the first. What
// the configuration says about an owner is not extended by discovery: it would
// hide that a mapping is wrong, and use an App that was not meant.
func standIns(apps []*appState, besides *directory, first Credential, want *Want) (others []*appState) {
	for _, app := range apps {
		if app.directory != besides && (first.inst.discovered || app.configures(want, first.Fallback)) {
			others = append(others, app)
		}
	}
	return others
}

// configures reports whether the App's configuration has an installation for a
// want; for an id it may have.
func (a *appState) configures(want *Want, fallback bool) bool {
	nobody := want.namesNobody()
	if fallback || nobody && len(want.Others) == 0 {
		return a.home != nil
	}
	maps := func(owner github.Account) bool { return owner.ByID() || a.mappedTo(owner) != nil }
	return maps(want.Owner) && !slices.ContainsFunc(want.Others, func(o github.Account) bool { return !maps(o) })
}

// notePassedOver logs, once, that another App serves instead.
func (s *Source) notePassedOver(first, other Credential, r Resource, err error) {
	window := &first.inst.quota.windows[r]
	if window.passedOver.Swap(true) {
		return
	}
	if err != nil {
		s.log.Warn("another App serves instead of one that GitHub refuses",
			"app", first.App.Name, "installation", int64(first.Installation), "instead", other.App.Name, "error", err)
		return
	}
	s.log.Warn("another App serves until a rate limit resets",
		"app", first.App.Name, "installation", int64(first.Installation), "instead", other.App.Name, "reset", first.inst.quota.opens(r))
}

// noteReturn logs, once, that an App serves again.
func (s *Source) noteReturn(first Credential, r Resource) {
	if window := &first.inst.quota.windows[r]; window.passedOver.Load() && window.passedOver.Swap(false) {
		s.log.Info("an App serves again", "app", first.App.Name, "installation", int64(first.Installation))
	}
}
