package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"ghapp-proxy/leak"
)

// Scheme is how an Authorization field is written.
type Scheme uint8

// The schemes that GitHub takes; the zero value is none of them.
const (
	SchemeBearer Scheme = iota + 1 // RFC 6750
	SchemeToken                    // GitHub's own: docs.github.com "Authenticating to the REST API"
	SchemeBasic                    // RFC 7617

	schemes = iota + 1
)

// name is how the value of the field begins.
func (s Scheme) name() string {
	switch s {
	case SchemeBearer:
		return "Bearer "
	case SchemeToken:
		return "token "
	default:
		return "Basic "
	}
}

func encodeBasic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// Kind is a kind of credential: how it is written, whether it can be limited, and
// which refusals of it can be healed. A credential of no Kind is never sent.
type Kind struct {
	name      string
	schemes   []Scheme
	limitable bool
	heals     complaints
}

// The kinds of credentials of a GitHub App.
var (
	// KindJWT is the App's JWT: docs.github.com "Authenticating as a GitHub App".
	KindJWT = &Kind{"JWT", []Scheme{SchemeBearer}, false, aboutKey | aboutClock}
	// KindInstallation is an installation token: docs.github.com "Authenticating
	// as a GitHub App installation".
	KindInstallation = &Kind{"installation token", []Scheme{SchemeBearer, SchemeToken, SchemeBasic}, true, aboutToken | aboutGrant | aboutSight}
	// KindClient is the client id and secret.
	KindClient = &Kind{"client secret", []Scheme{SchemeBasic}, false, 0}
)

// String returns a name for messages.
func (k *Kind) String() string {
	if k == nil {
		return "no credential"
	}
	return k.name
}

// Limitable reports whether credentials of the kind can be limited to repositories
// and permissions.
func (k *Kind) Limitable() bool { return k != nil && k.limitable }

// canHeal reports whether there is something to be done about a refusal.
func (k *Kind) canHeal(about complaints) bool { return k != nil && k.heals&about != 0 }

// complaints is a set of what a refusal of GitHub's may be about.
type complaints uint8

const (
	aboutKey   complaints = 1 << iota // GitHub does not know the key of a JWT
	aboutClock                        // it does not agree with its times
	aboutToken                        // it does not know the token
	aboutGrant                        // the token has no permission
	aboutSight                        // the token does not see the repository
)

// header is a credential as it is written, made once so that a request costs no
// allocation. There are thousands of them: what is written is one text.
type header struct {
	kind        *Kind
	values      [schemes][1]string // of Authorization; "" where the kind has no such scheme
	fingerprint string             // of an installation token
	marks       *leak.Marks
}

var noHeader header

// newHeader writes a credential of a kind; user is for SchemeBasic.
func newHeader(kind *Kind, user, secret, fingerprint string, signers []Signer) *header {
	text := fingerprint
	var ends [schemes]int
	for _, scheme := range kind.schemes {
		if text += scheme.name(); scheme == SchemeBasic {
			text += encodeBasic(user, secret)
		} else {
			text += secret
		}
		ends[scheme] = len(text)
	}
	h := &header{kind: kind, fingerprint: text[:len(fingerprint)]}
	secrets := []string{secret}
	at := len(fingerprint)
	for _, scheme := range kind.schemes {
		value := text[at:ends[scheme]]
		h.values[scheme][0], at = value, ends[scheme]
		if written := value[len(scheme.name()):]; scheme == SchemeBasic {
			secrets = append(secrets, written)
		} else {
			secrets[0] = written // the same, and no memory of its own
		}
	}
	h.marks = marksOf(signers, secrets...)
	return h
}

// newTokenHeader writes an installation token. The user is docs.github.com
// "Authenticating as a GitHub App installation", "HTTP-based Git access".
func newTokenHeader(signers []Signer, token string) *header {
	sum := sha256.Sum256([]byte(token))
	return newHeader(KindInstallation, "x-access-token", token, base64.StdEncoding.EncodeToString(sum[:]), signers)
}

// authorization is the value of the field in a scheme.
func (h *header) authorization(scheme Scheme) ([]string, error) {
	values := h.in(scheme)
	if h.kind == nil || values == nil {
		return nil, fmt.Errorf("a credential of the kind %q has no form for the scheme %d", h.kind, scheme)
	}
	return values, nil
}

// in is the value of the field in a scheme, nil where there is none. It must not be changed.
func (h *header) in(scheme Scheme) []string {
	if scheme >= schemes || h.values[scheme][0] == "" {
		return nil
	}
	return h.values[scheme][:]
}
