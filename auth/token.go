package auth

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// maxUse bounds how long a token is used whatever its expires_at: GitHub
	// may revoke it for reasons of its own, and the cache keeps nothing longer.
	maxUse = 24 * time.Hour
	// maxPace bounds the interval after which a renewal that failed is tried
	// again, before jitter.
	maxPace = 30 * time.Second
)

// Token is an installation token. Its text is in the encoding for other replicas
// alone: a Token prints as a redaction. It must not be changed, nor copied.
type Token struct {
	// Generation tells the tokens apart that have been filed under one key.
	Generation uint64

	text    Secret
	minted  time.Time // by our clock
	expires time.Time // by GitHub's clock, as the rest
	until   time.Time // it is handed out before this
	grant   *Grant

	// What this process knows of it.
	written atomic.Pointer[header]
	pace    time.Duration // between renewals that fail, before jitter
	renewal atomic.Int64  // the request after this, in Unix nanoseconds, starts a renewal
	proven  atomic.Bool   // GitHub has accepted it
}

// newToken returns a token that was minted now, by GitHub's clock.
func newToken(text string, grant *Grant, expires, now time.Time) *Token {
	t := &Token{Generation: newGeneration(), text: Secret(text), minted: time.Now(), grant: grant, expires: expires}
	use := min(usable(expires.Sub(now)), maxUse)
	t.until = now.Add(use)
	t.schedule(use)
	return t
}

// name is the generation as a key.
func (t *Token) name() string { return strconv.FormatUint(t.Generation, 16) }

// schedule sets when a token is renewed that is used for so long.
func (t *Token) schedule(use time.Duration) {
	t.pace = min(maxPace, use/40)
	// At four fifths, and a little earlier: tokens of one moment part.
	t.renewal.Store(t.until.Add(-use/5 - jitter(use/40)).UnixNano())
}

// usable is how long a token that expires after left is handed out: up to a
// minute before it expires, or for half its life where that is shorter. It is
// negative if the token expired long ago, or GitHub did not say when it will.
func usable(left time.Duration) time.Duration {
	if left < 2*time.Minute {
		return left / 2
	}
	return left - time.Minute
}

// due reports, once, that it is time for a renewal.
func (t *Token) due(now time.Time) bool {
	at := t.renewal.Load()
	return now.UnixNano() >= at && t.renewal.CompareAndSwap(at, math.MaxInt64)
}

// postpone sets when a renewal that failed is tried again, and returns after how long.
func (t *Token) postpone(now time.Time) time.Duration {
	wait := t.pace + jitter(t.pace)
	t.renewal.Store(now.Add(wait).UnixNano())
	return wait
}

// age is how long ago the token was minted.
func (t *Token) age() time.Duration { return time.Since(t.minted) }

// young reports whether GitHub may not know the token everywhere, or not with all
// that it is good for.
func (t *Token) young() bool { return t.age() < youngToken }

// isProven reports whether GitHub is known to know the token.
func (t *Token) isProven() bool { return !t.young() || t.proven.Load() }

// prove notes that GitHub accepted the token.
func (t *Token) prove() {
	if !t.proven.Load() {
		t.proven.Store(true)
	}
}

// header is the token as it is written, with the marks of the keys that made it.
func (t *Token) header(signers []Signer) *header {
	if h := t.written.Load(); h != nil {
		return h
	}
	t.written.CompareAndSwap(nil, newTokenHeader(signers, string(t.text)))
	return t.written.Load()
}

// tokenText is the encoding of a Token for other replicas. All times are by GitHub's clock.
type tokenText struct {
	Text    string
	Minted  time.Time
	Expires time.Time
	Until   time.Time
	Grant   *Grant
}

// encode is the token as other replicas read it, by GitHub's clock. It has the secret in it.
func (t *Token) encode(clock *clock) []byte {
	text, err := json.Marshal(tokenText{string(t.text), t.minted.Round(0).Add(clock.skew()), t.expires, t.until, t.grant})
	if err != nil {
		return nil // it has nothing that JSON has not
	}
	return text
}

// decodeToken reads what encode has written. What could not be put into a header is no token.
func decodeToken(generation uint64, text []byte, clock *clock) (*Token, bool) {
	var in tokenText
	if json.Unmarshal(text, &in) != nil || !isToken(in.Text) || in.Grant == nil {
		return nil, false
	}
	t := &Token{
		Generation: generation, text: Secret(in.Text), minted: in.Minted.Add(-clock.skew()), grant: in.Grant, expires: in.Expires, until: in.Until,
	}
	t.schedule(min(in.Until.Sub(in.Minted), maxUse))
	return t, true
}

// Format implements fmt.Formatter with a redaction, whatever the verb.
func (t *Token) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer with a redaction.
func (t *Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler with a redaction.
func (t *Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
