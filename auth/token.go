package auth

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
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

// Token is an installation token as a Store keeps it. Its text is in the encoding
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
	t := &Token{Generation: rand.Uint64(), text: Secret(text), minted: time.Now(), grant: grant, expires: expires}
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

// tokenText is the encoding of a Token.
type tokenText struct {
	Generation uint64
	Text       string
	Minted     time.Time
	Expires    time.Time
	Until      time.Time
	Grant      *Grant
}

// MarshalBinary implements encoding.BinaryMarshaler. The encoding has the token in it.
func (t *Token) MarshalBinary() ([]byte, error) {
	return json.Marshal(tokenText{t.Generation, string(t.text), t.minted, t.expires, t.until, t.grant})
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. What could not be put into
// a header is an error.
func (t *Token) UnmarshalBinary(text []byte) error {
	var in tokenText
	if json.Unmarshal(text, &in) != nil || !isToken(in.Text) {
		return fmt.Errorf("%d bytes are no token", len(text)) // not the error, which quotes them
	}
	t.Generation, t.text, t.minted, t.expires, t.until, t.grant = in.Generation, Secret(in.Text), in.Minted, in.Expires, in.Until, in.Grant
	t.schedule(t.until.Sub(t.minted))
	return nil
}

// Format implements fmt.Formatter with a redaction, whatever the verb.
func (t *Token) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer with a redaction.
func (t *Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler with a redaction.
func (t *Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
