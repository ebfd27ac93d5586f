package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is who signs tokens: one [[issuer]]. It is not changed once it is in use.
type Issuer struct {
	Name string // for clients and logs

	// Who it is. One of the two: the URL is the iss of its tokens; the tokens of a
	// trust domain of SPIFFE are known by their sub, spiffe://TrustDomain/….
	URL         string
	TrustDomain string

	// Where its keys are. Without any of the two, discovery at the URL says it.
	JWKSURL string
	JWKS    []byte // of a file

	RootsPEM   []byte        // certificates to trust besides the system's, nil for none
	Audiences  []string      // a token must have one of them, and no other
	Algorithms []string      // nil for DefaultAlgorithms
	Leeway     time.Duration // by which clocks may differ
	Once       bool          // its tokens are good once, for an exchange
}

// DefaultAlgorithms are those of the issuers that docs/identities.md names.
var DefaultAlgorithms = []string{"RS256", "ES256"}

// algorithms are those that an issuer may sign with: RFC 7518, section 3.1, and RFC
// 8037. None of them is symmetric.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// MaxLeeway is how much clocks may differ.
const MaxLeeway = 5 * time.Minute

// CheckAlgorithm reports what is no algorithm that tokens may be signed with.
func CheckAlgorithm(name string) error {
	if !slices.Contains(algorithms, name) {
		return fmt.Errorf("%.20q is not one of %s", name, strings.Join(algorithms, ", "))
	}
	return nil
}

// CheckURL reports what is not the URL of an issuer, or of its keys.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be an https:// URL without user, query and fragment")
	}
	return nil
}

// trustDomain is the name of one: SPIFFE-ID, section 2.1.
var trustDomain = regexp.MustCompile(`^[a-z0-9._-]{1,255}$`)

// CheckTrustDomain reports what is not the name of a trust domain.
func CheckTrustDomain(s string) error {
	if !trustDomain.MatchString(s) {
		return errors.New("small letters, digits and . _ - are allowed, as in example.org")
	}
	return nil
}

// allowed are the algorithms of the issuer, for go-jose.
func (i *Issuer) allowed() (list []jose.SignatureAlgorithm) {
	names := i.Algorithms
	if names == nil {
		names = DefaultAlgorithms
	}
	for _, name := range names {
		list = append(list, jose.SignatureAlgorithm(name))
	}
	return list
}

// sameKeys reports whether what was fetched for one is good for the other.
func (i *Issuer) sameKeys(other *Issuer) bool {
	return i.URL == other.URL && i.TrustDomain == other.TrustDomain && i.JWKSURL == other.JWKSURL &&
		reflect.DeepEqual(i.JWKS, other.JWKS) && reflect.DeepEqual(i.RootsPEM, other.RootsPEM) && slices.Equal(i.allowed(), other.allowed())
}

// Issuers are those who sign tokens, with their keys. It is safe for concurrent use.
type Issuers struct {
	all  []*issuer
	used *used // of Issuers before as well
}

// issuer is one with its keys.
type issuer struct {
	*Issuer
	keys *keys
}

// NewIssuers returns the Issuers after others, nil for the first. transport makes the
// way to one that is asked for its keys.
func NewIssuers(before *Issuers, list []*Issuer, transport func(*Issuer) (http.RoundTripper, error)) (*Issuers, error) {
	all := &Issuers{used: newUsed()}
	if before != nil {
		all.used = before.used
	}
	for _, i := range list {
		k, err := newKeys(i, transport)
		if err != nil {
			return nil, fmt.Errorf("issuer %s: %w", i.Name, err)
		}
		if before != nil {
			k.takeOver(before)
		}
		all.all = append(all.all, &issuer{i, k})
	}
	return all, nil
}

// of is the issuer that a token says it is of; nobody has verified that.
func (all *Issuers) of(iss, sub string) *issuer {
	for _, i := range all.all {
		if i.URL != "" && i.URL == iss {
			return i
		}
	}
	for _, i := range all.all {
		if i.TrustDomain != "" && strings.HasPrefix(sub, "spiffe://"+i.TrustDomain+"/") {
			return i
		}
	}
	return nil
}
