package auth

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// vaultLabel is what a Signer signs for the keys of a vault: see sealLabel.
const vaultLabel = "ghapp-proxy: key for what replicas share, 1"

// vault is what the replicas share of one App: sealed with a key of the App's, whatever it is called here, so that it
// opens for nobody who has none, nor under another key or for another App. The newest key seals, all open.
type vault struct {
	Shared
	*flights
	app     string // App.identifier
	sealers sealers
}

// newVault returns that of an App. Its keys are made of secrets, if there are any, else of
// the App's own.
func newVault(shared Shared, f *flights, app *App, prefix string, secrets [][]byte) *vault {
	v := &vault{Shared: shared, flights: f, app: app.identifier()}
	v.sealers = sealers{label: vaultLabel, prefix: "shared|" + v.app, flight: "vault|" + prefix, signers: app.Signers}
	if len(secrets) > 0 {
		v.sealers.signers = signersOf(secrets)
	}
	return v
}

// isOpen reports whether anything is shared.
func (v *vault) isOpen() bool { return v.Shared != alone{} }

// key is what something of the App is filed under.
func (v *vault) key(kind, of string) string { return kind + "|" + v.app + "|" + of }

// about binds a value to its key and generation.
func about(key string, generation uint64) string { return fmt.Sprintf("%s|%x", key, generation) }

// generationSize is that of a generation, in octets.
const generationSize = 8

// newGeneration tells a value from others. It is not 0.
func newGeneration() uint64 { return rand.Uint64() | 1 }

// seal makes a value of a text, nil if none of the keys can sign.
func (v *vault) seal(ctx context.Context, key string, generation uint64, text []byte) []byte {
	for _, sealer := range v.sealersNow(ctx) {
		if sealer != nil {
			value := binary.BigEndian.AppendUint64(nil, generation)
			return append(value, v.sealers.seal(sealer, text, about(key, generation))...)
		}
	}
	return nil
}

// open opens a value.
func (v *vault) open(ctx context.Context, key string, value []byte) (generation uint64, text []byte, ok bool) {
	if len(value) < generationSize+1+sealIDSize || value[generationSize] != sealVersion {
		return 0, nil, false
	}
	generation = binary.BigEndian.Uint64(value)
	text, ok = v.sealers.open(v.sealersNow(ctx), value[generationSize:], about(key, generation))
	return generation, text, ok
}

// sealersNow are the vault's keys.
func (v *vault) sealersNow(ctx context.Context) []*sealer { return v.sealers.now(ctx, v.flights) }

// now makes the keys once. Where a Signer fails it is asked again after ten seconds.
func (k *sealers) now(ctx context.Context, f *flights) []*sealer {
	by := k.derived()
	if !k.due() {
		return by
	}
	derived, err := once(WithBudget(ctx, nil), f, k.flight, func(ctx context.Context) ([]*sealer, error) { return k.derive(ctx, by), nil })
	if err != nil {
		return by
	}
	return derived
}

// filed is what a replica files.
type filed struct {
	generation uint64
	text       []byte
	ttl        time.Duration
}

// claim returns what another replica has filed under key, if use takes it: then it is not of the generation that it
// should not be. Else file must be called, with what the caller has made, or the zero value.
func (v *vault) claim(ctx context.Context, key string, besides uint64, use func(generation uint64, text []byte) bool) (used bool, file func(filed)) {
	if !v.isOpen() {
		return false, func(filed) {}
	}
	for range maxUseless {
		value, done := v.Claim(ctx, key, besides)
		switch {
		case done != nil:
			return false, func(f filed) { done(v.sealed(key, f), f.ttl) }
		case value == nil:
			return false, func(f filed) { v.put(key, f) }
		}
		generation, text, ok := v.open(ctx, key, value)
		if ok && use(generation, text) {
			return true, nil
		}
		if !ok {
			v.Dropped()
		}
		if len(value) < generationSize {
			break
		}
		besides = binary.BigEndian.Uint64(value)
	}
	return false, func(f filed) { v.put(key, f) }
}

// maxUseless is how many values may be of no use before the store is not asked any more.
const maxUseless = 3

// sealed is what is filed, nil for nothing.
func (v *vault) sealed(key string, f filed) []byte {
	if f.text == nil {
		return nil
	}
	return v.seal(v.lifetime, key, f.generation, f.text)
}

func (v *vault) put(key string, f filed) {
	if value := v.sealed(key, f); value != nil {
		v.Put(key, value, f.ttl)
	}
}

// get returns what is filed under a key.
func (v *vault) get(ctx context.Context, key string) (generation uint64, text []byte, ok bool) {
	if !v.isOpen() {
		return 0, nil, false
	}
	value := v.Get(ctx, key)
	if value == nil {
		return 0, nil, false
	}
	if generation, text, ok = v.open(ctx, key, value); !ok {
		v.Dropped()
	}
	return generation, text, ok
}
