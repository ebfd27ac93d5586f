package oidc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"ghapp-proxy/strictjson"
)

// MaxText is how long a token may be, in bytes.
const MaxText = 8 << 10

// Kind is why a token is not good.
type Kind uint8

// The kinds.
const (
	Forged   Kind = iota // or of nobody who is known, or for nobody here
	Spent                // by its time, or it was used
	Unusable             // nobody can tell whether it is good
)

// Error says why a token is not good. It quotes nothing of it.
type Error struct {
	Kind   Kind
	Reason string
	Inside string // for the log, "" for Reason
}

// Error implements error.
func (e *Error) Error() string { return e.Reason }

func fault(kind Kind, reason string) *Error { return &Error{Kind: kind, Reason: reason} }

// Is reports whether a secret is meant to be a token: a JWS in its compact form, whose
// header is a JSON object (RFC 7515, section 7.1).
func Is(secret string) bool {
	return strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// token is one that was verified.
type token struct {
	issuer  *issuer
	subject string
	claims  map[string]any
	expires time.Time // with leeway
	id      string    // its jti, "" for none
	key     string    // that it is signed with
}

var (
	errNoToken  = fault(Forged, "not a token, or not all of one")
	errNoIssuer = fault(Forged, "the token is of no issuer that is known here")
	errBad      = fault(Forged, "the token is not one that its issuer has signed, by an algorithm that is allowed")
	errAudience = fault(Forged, "the token is for somebody else: its audience is not, or not only, that of this proxy")
	errSubject  = fault(Forged, "the token does not say whose it is")
	errForever  = fault(Forged, "the token does not say when it ends")
	errEnded    = fault(Spent, "the token has expired")
	errEarly    = fault(Spent, "the token is not good yet: do the clocks differ?")
)

// claimsOf is what a token says, in JSON; nobody has verified it.
func claimsOf(text string) (claims []byte, err error) {
	if len(text) > MaxText || !Is(text) {
		return nil, errNoToken
	}
	for n, part := range strings.Split(text, ".") {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") { // go-jose and encoding/base64 pass over these
			return nil, errNoToken
		}
		if n == 1 {
			claims = b
		}
	}
	return claims, nil
}

// Decode returns the claims of a token, by their names. It verifies nothing of it but the
// form.
func Decode(text string) (claims map[string]json.RawMessage, err error) {
	raw, err := claimsOf(text)
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return nil, errNoToken
	}
	return claims, nil
}

// verify verifies a token.
func (all *Issuers) verify(ctx context.Context, text string, now time.Time, ask bool) (*token, error) {
	var says struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
	}
	claims, err := claimsOf(text)
	if err != nil || json.Unmarshal(claims, &says) != nil {
		return nil, errNoToken
	}
	i := all.of(says.Issuer, says.Subject)
	if i == nil {
		return nil, errNoIssuer
	}
	return i.verify(ctx, text, now, ask)
}

// signature is the oidc.KeySet for one token.
type signature struct {
	of  *issuer
	ask bool
	key string // by which it is signed
	err error  // an *Error, nil for none
}

// VerifySignature implements oidc.KeySet.
func (s *signature) VerifySignature(ctx context.Context, text string) ([]byte, error) {
	parsed, err := jose.ParseSignedCompact(text, s.of.allowed())
	if err != nil {
		return nil, err
	}
	header := parsed.Signatures[0].Protected
	if !isToken(header) {
		return nil, errors.New("it is something else")
	}
	found, err := s.of.keys.find(ctx, header.KeyID, header.Algorithm, s.ask)
	if err != nil {
		s.err = err
		return nil, err
	}
	for _, key := range found {
		if payload, err := parsed.Verify(key.Key); err == nil {
			s.key = key.print
			return payload, nil
		}
	}
	return nil, errBad
}

// isToken reports whether a JWS is meant to be a token: RFC 8725, section 3.11. "JOSE"
// is SPIFFE's, JWT-SVID, section 2.3.
func isToken(header jose.Header) bool {
	typ, ok := header.ExtraHeaders[jose.HeaderType]
	name, isText := typ.(string)
	return !ok || isText && slices.Contains([]string{"jwt", "jose", "at+jwt"}, strings.ToLower(name))
}

// verify verifies a token that says that it is of the issuer.
func (i *issuer) verify(ctx context.Context, text string, now time.Time, ask bool) (*token, error) {
	sig := &signature{of: i, ask: ask}
	config := &oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true, SkipIssuerCheck: i.URL == ""} // see below
	for _, algorithm := range i.allowed() {
		config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, string(algorithm))
	}
	verified, err := oidc.NewVerifier(i.URL, sig, config).Verify(ctx, text)
	switch {
	case sig.err != nil:
		return nil, sig.err
	case err != nil:
		return nil, errBad
	}
	t := &token{issuer: i, subject: verified.Subject, key: sig.key}
	var raw json.RawMessage
	if err := verified.Claims(&raw); err != nil {
		return nil, errBad
	}
	if _, err := strictjson.Read(raw); err != nil {
		return nil, errBad
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // ids are numbers, too
	if err := decoder.Decode(&t.claims); err != nil {
		return nil, errBad
	}
	if !t.says(verified) {
		return nil, errBad
	}
	t.id, _ = t.claims["jti"].(string)
	return t, cmp.Or(i.checkAudience(verified.Audience), i.checkSubject(t.subject), t.inTime(now))
}

// says reports whether the claims are those that were verified: go-oidc reads their names in any
// case, so that an "AUD" which an issuer lets its users add could stand for "aud".
func (t *token) says(verified *oidc.IDToken) bool {
	var audience []string
	switch aud := t.claims["aud"].(type) {
	case string:
		audience = []string{aud}
	case []any:
		for _, one := range aud {
			text, _ := one.(string)
			audience = append(audience, text)
		}
	}
	return t.claims["sub"] == verified.Subject && (t.issuer.URL == "" || t.claims["iss"] == verified.Issuer) && slices.Equal(audience, verified.Audience)
}

// checkAudience wants the token to be for us and for nobody else: who else gets it
// could be us.
func (i *issuer) checkAudience(audience []string) error {
	foreign := func(a string) bool { return !slices.Contains(i.Audiences, a) }
	if len(audience) == 0 || slices.ContainsFunc(audience, foreign) {
		return errAudience
	}
	return nil
}

// checkSubject wants a name that can be logged: OpenID Connect Core 1.0, section 2, has
// up to 255 ASCII characters.
func (i *issuer) checkSubject(subject string) error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if subject == "" || len(subject) > 255 || !utf8.ValidString(subject) || strings.ContainsFunc(subject, unprintable) {
		return errSubject
	}
	if i.TrustDomain != "" && !strings.HasPrefix(subject, "spiffe://"+i.TrustDomain+"/") {
		return errSubject
	}
	return nil
}

// inTime checks exp, nbf and iat, with the issuer's leeway: RFC 7519, section 4.1.
func (t *token) inTime(now time.Time) error {
	end, ok := moment(t.claims["exp"])
	if !ok {
		return errForever
	}
	t.expires = end.Add(t.issuer.Leeway)
	if !now.Before(t.expires) {
		return errEnded
	}
	for _, name := range []string{"nbf", "iat"} {
		value, given := t.claims[name]
		begin, ok := moment(value)
		if given && (!ok || begin.After(now.Add(t.issuer.Leeway))) {
			return errEarly
		}
	}
	return nil
}

// moment reads a NumericDate.
func moment(v any) (time.Time, bool) {
	number, ok := v.(json.Number)
	seconds, err := number.Float64()
	if !ok || err != nil || seconds < 0 || seconds > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(math.Floor(seconds)), 0), true
}
