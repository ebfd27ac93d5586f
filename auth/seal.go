package auth

import (
	"context"
	"errors"

	"ghapp-proxy/github"
)

// Seal encrypts a text, and what it is about with it, so that a Source with the same
// private key of the App, of that name and instance, can open it and nobody else. The
// key comes from the first of the App's Signers that can sign.
func (s *Source) Seal(ctx context.Context, instance github.Instance, app string, text []byte, about string) ([]byte, error) {
	for _, a := range s.candidates(instance, app) {
		for _, key := range a.sealersNow(ctx) {
			if key == nil {
				continue
			}
			return a.sealers.seal(key, text, about), nil
		}
	}
	return nil, errors.New("none of the App's keys can sign")
}

// Open returns what was sealed by one of the keys of an App of the instance, and that
// App's name. ok is false for everything else.
func (s *Source) Open(ctx context.Context, instance github.Instance, sealed []byte, about string) (app string, text []byte, ok bool) {
	if len(sealed) < 1+sealIDSize || sealed[0] != sealVersion {
		return "", nil, false
	}
	for _, a := range s.apps[instance] {
		text, ok := a.sealers.open(a.sealers.derived(), sealed, about)
		if !ok && a.sealers.due() {
			text, ok = a.sealers.open(a.sealersNow(ctx), sealed, about)
		}
		if ok {
			return a.Name, text, true
		}
	}
	return "", nil, false
}

// sealersNow makes the keys once. Where a Signer fails it is asked again after ten
// seconds.
func (a *appState) sealersNow(ctx context.Context) []*sealer { return a.sealers.now(ctx, a.flights) }
