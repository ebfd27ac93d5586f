package auth

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Explains reports whether the grant is the reason for GitHub's refusal: it has
// none of the alternatives that GitHub accepts. accepted is the answer's
// X-Accepted-GitHub-Permissions: docs.github.com "Troubleshooting the REST API",
// "Resource not accessible".
func (g *Grant) Explains(accepted string) bool {
	return g != nil && g.Permissions != nil && accepted != "" && !allows(g.Permissions, accepted)
}

// allows reports whether permissions have one of the alternatives, which are
// divided by semicolons; commas divide what belongs together. What is not
// understood is allowed.
func allows(permissions map[string]string, accepted string) bool {
	for alternative := range strings.SplitSeq(accepted, ";") {
		all := true
		for need := range strings.SplitSeq(alternative, ",") {
			name, level, _ := strings.Cut(strings.TrimSpace(need), "=")
			needed := slices.Index(levels, level)
			metadata := name == "metadata" && level == "read" // every token has it
			all = all && (metadata || needed < 0 || slices.Index(levels, permissions[name]) >= needed)
		}
		if all {
			return true
		}
	}
	return false
}

// Regrant returns the credential to use instead of one that lacks what GitHub
// accepts, if its installation has been granted that since; else refused itself.
// GitHub is asked about an installation once in ten seconds at most.
func (s *Source) Regrant(ctx context.Context, refused Credential, want Want, accepted string) (Credential, error) {
	inst := refused.inst
	if inst == nil || refused.header == nil {
		return refused, nil
	}
	f, ok := s.facts.get(inst.key)
	if !ok || time.Since(f.made) >= askAgainAfter {
		var err error
		if f, err = s.newFacts(ctx, inst); err != nil {
			return refused, nil // GitHub's 403 says more about the request
		}
	}
	if !allows(f.permissions, accepted) {
		return refused, nil
	}
	if refused.narrow.permissionsOrNil() == nil { // else its Scope asks for more now, or a rule for less
		if err := s.mintAnew(ctx, refused); err != nil {
			return refused, err
		}
	}
	fresh, err := s.Token(ctx, refused.App.Host, want)
	if err != nil || fresh.header == refused.header {
		return refused, err
	}
	return fresh, nil
}

// mintAnew mints another token in place of one that stays good, unless that was
// done a moment ago.
func (s *Source) mintAnew(ctx context.Context, cred Credential) error {
	key := cred.inst.tokenKey(cred.narrow)
	if m := s.cached(key, cred.inst.app.clock.now()); m == nil || m.header != cred.header {
		return nil // somebody else has
	}
	_, err := once(ctx, s, "regrant|"+key, func(ctx context.Context) (struct{}, error) {
		if _, ok := s.replaced.get(key + "|grant"); ok {
			return struct{}{}, nil
		}
		s.replaced.set(key+"|grant", struct{}{}, askAgainAfter)
		s.log.Info("the installation was granted more than its token: minting another", "app", cred.App.Name, "installation", int64(cred.Installation))
		_, err := once(ctx, s, key, func(ctx context.Context) (*minted, error) {
			return s.mintAndKeep(ctx, key, cred.inst, cred.narrow)
		})
		return struct{}{}, err
	})
	return err
}
