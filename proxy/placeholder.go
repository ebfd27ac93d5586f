package proxy

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

const (
	// placeholderPrefix makes clients take a placeholder for an installation token.
	placeholderPrefix = "ghs_placeholder"
	// placeholderSize is that of a placeholder that is kept, and of a classic token
	// (docs.github.com "About authentication to GitHub").
	placeholderSize = len("ghs_") + 36
	// placeholderLife is as long as GitHub's tokens are good for.
	placeholderLife = time.Hour

	maxPlaceholders     = 10000    // kept of each client
	maxPlaceholderBytes = 32 << 20 // of the narrowings of each client's
	maxRevokedShared    = 2000     // of each client's at once are in a RevokedSet, which has room for those of fifty
)

// placeholder is an installation token to the program that holds it. To the
// proxy it is the choice of an installation and of a narrowing.
type placeholder struct {
	token        string
	instance     github.Instance // whose hosts it is good for
	client       string          // who may use it
	app          string
	installation github.InstallationID
	narrow       *github.Narrowing // nil for all that the installation may do
	expires      time.Time
}

// What a placeholder cannot choose against a rule.
var (
	otherInstallation = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "rule[%d] chooses another App or installation than this token's, installation %d of App %s",
		Remedy: "ask for a token of that one, or change the rule",
	})
	otherNarrowing = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "%v",
		Remedy: "ask for a token of what the rule allows",
		About:  "the token was narrowed to what the rule does not allow",
	})
)

// choose makes a want that of the placeholder. What a rule chose for the route
// holds: the placeholder cannot choose otherwise.
func (p *placeholder) choose(want *auth.Want, route *rules.Route) error {
	if want.App != "" && want.App != p.app || want.Installation != 0 && want.Installation != p.installation {
		return otherInstallation.Refuse(route.Rule, p.installation, p.app)
	}
	narrow, err := p.narrow.And(want.Narrow)
	if err != nil {
		return otherNarrowing.Refuse(err)
	}
	want.App, want.Installation, want.Narrow = p.app, p.installation, narrow
	return nil
}

// placeholders are those that are kept: too large to contain what they stand for.
// They are forgotten when they expire, or when a client has too many, its first to
// expire first. So are those of the others that were revoked.
type placeholders struct {
	mu           sync.RWMutex
	revokedByAll RevokedSet // what is revoked at any replica, nil for none

	byKey map[string]*list.Element // token → where it is in its client's order
	of    map[string]*held         // client → its own
}

// held are the placeholders of one client.
type held struct {
	order list.List // of *placeholder; all live as long, so it is that of expiry
	bytes int

	revoked map[[sha256.Size]byte]time.Time // revokedKey → when it expires
}

func newPlaceholders() *placeholders {
	return &placeholders{byKey: make(map[string]*list.Element), of: make(map[string]*held)}
}

// ofClient are a client's. s.mu is held.
func (s *placeholders) ofClient(name string) *held {
	of := s.of[name]
	if of == nil {
		of = &held{revoked: make(map[[sha256.Size]byte]time.Time)}
		s.of[name] = of
	}
	return of
}

// forget drops what a client has that is not configured any more.
func (s *placeholders) forget(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.of[client]
	if of == nil {
		return
	}
	for at := of.order.Front(); at != nil; at = of.order.Front() {
		s.drop(at)
	}
	of.forgetEnded()
	if len(of.revoked) == 0 { // what it has revoked is not good if it comes back
		delete(s.of, client)
	}
}

// RevokedSet is what all replicas of the proxy know to be revoked.
type RevokedSet interface {
	// Has reports whether something is. It is asked with requests, and must not wait.
	Has(thing string) bool
	// Add adds things until some times. It does not wait.
	Add(things map[string]time.Time)
}

// revokedName is a placeholder's in a RevokedSet: its hash, for whoever holds it could use it.
func revokedName(p *placeholder) string {
	key := revokedKey(p.token)
	return hex.EncodeToString(key[:])
}

// isRevoked reports whether a placeholder was, here and not long ago.
func (s *placeholders) isRevoked(p *placeholder) bool {
	if s.revokedByAll != nil && s.revokedByAll.Has(revokedName(p)) {
		return true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	of := s.of[p.client]
	if of == nil || len(of.revoked) == 0 {
		return false
	}
	_, revoked := of.revoked[revokedKey(p.token)]
	return revoked
}

// revoke remembers until its end that a placeholder is good no more. Of a client
// that revokes too many, the others are not told, and then the first to expire is forgotten: it is its own.
func (s *placeholders) revoke(p *placeholder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.ofClient(p.client)
	if len(of.revoked) >= maxRevokedShared {
		of.forgetEnded()
	}
	if s.revokedByAll != nil && len(of.revoked) < maxRevokedShared {
		s.revokedByAll.Add(map[string]time.Time{revokedName(p): p.expires})
	}
	if len(of.revoked) >= maxPlaceholders {
		first, end := revokedKey(p.token), p.expires
		for key, expires := range of.revoked {
			if expires.Before(end) {
				first, end = key, expires
			}
		}
		delete(of.revoked, first)
	}
	of.revoked[revokedKey(p.token)] = p.expires
}

// forgetEnded forgets what was revoked and has expired since.
func (of *held) forgetEnded() {
	now := time.Now()
	maps.DeleteFunc(of.revoked, func(_ [sha256.Size]byte, expires time.Time) bool { return !now.Before(expires) })
}

// add gives p a token and a time to expire, and keeps it.
func (s *placeholders) add(p *placeholder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	p.token, p.expires = newPlaceholderToken(), now.Add(placeholderLife)
	of := s.ofClient(p.client)
	s.byKey[p.token] = of.order.PushBack(p)
	of.bytes += len(p.narrow.String())
	for first := of.order.Front(); ; first = of.order.Front() {
		expired := !now.Before(first.Value.(*placeholder).expires)
		if !expired && of.order.Len() <= maxPlaceholders && of.bytes <= maxPlaceholderBytes {
			return
		}
		s.drop(first)
	}
}

// drop forgets a placeholder. s.mu is held.
func (s *placeholders) drop(at *list.Element) {
	p := at.Value.(*placeholder)
	of := s.of[p.client]
	of.order.Remove(at)
	of.bytes -= len(p.narrow.String())
	delete(s.byKey, p.token)
}

// find returns the placeholder of that token if it is good for the client and
// the instance, else nil.
func (s *placeholders) find(token string, instance github.Instance, client string) *placeholder {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at := s.byKey[token]
	if at == nil {
		return nil
	}
	p := at.Value.(*placeholder)
	if p.instance != instance || p.client != client || !time.Now().Before(p.expires) {
		return nil
	}
	return p
}

// end ends a placeholder that findPlaceholder returned.
func (s *placeholders) end(p *placeholder) {
	if strings.HasPrefix(p.token, sealedPrefix) {
		s.revoke(p)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.byKey[p.token]; at != nil {
		s.drop(at)
	}
}

// newPlaceholderToken returns a token of 148 random bits. It cannot fail:
// crypto/rand.Reader does not.
func newPlaceholderToken() string {
	const digits = int64(placeholderSize - len(placeholderPrefix))
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(62), big.NewInt(digits), nil))
	if err != nil {
		panic(err)
	}
	random := n.Text(62)
	return placeholderPrefix + strings.Repeat("0", int(digits)-len(random)) + random
}

// placeholderIn returns the placeholder in a request's Authorization, "" if
// what is there has not the form of one. Basic has it as the password, or as
// the user name (docs.github.com "Authenticating to the REST API").
func placeholderIn(authorization []string) string {
	if len(authorization) == 0 {
		return ""
	}
	scheme, value, _ := strings.Cut(authorization[0], " ")
	switch value = strings.TrimSpace(value); {
	case isPlaceholder(value) && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "token")):
		return value
	case !strings.EqualFold(scheme, "Basic"), len(value) > 2*maxSealed:
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	user, password, _ := strings.Cut(string(text), ":")
	for _, token := range [...]string{password, user} {
		if isPlaceholder(token) {
			return token
		}
	}
	return ""
}

func isPlaceholder(token string) bool {
	if strings.HasPrefix(token, sealedPrefix) {
		return len(token) > placeholderSize && len(token) <= maxSealed
	}
	return len(token) == placeholderSize && strings.HasPrefix(token, placeholderPrefix)
}

// revokedKey is what a revoked token is filed under.
func revokedKey(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

const (
	// sealedPrefix begins a placeholder that contains what it stands for. Like
	// GitHub's own tokens (docs.github.com "About authentication to GitHub") it has
	// letters, digits, "-" and "_", and no certain length.
	sealedPrefix = placeholderPrefix + "_"
	// maxSealed bounds such a placeholder. Clients and what they use have limits on
	// fields: one that would be longer is kept by the proxy.
	maxSealed = 2 << 10
)

// maxTokenRequest bounds the body of a request for a token, in bytes. The largest
// that GitHub grants names 500 repositories, of a hundred characters each.
const maxTokenRequest = 64 << 10
