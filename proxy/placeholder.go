package proxy

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/rules"
)

const (
	// placeholderPrefix makes clients take a placeholder for an installation token.
	placeholderPrefix = "ghs_placeholder"
	// placeholderSize is that of a classic token (docs.github.com "About
	// authentication to GitHub"), of which some clients check the form.
	placeholderSize = len("ghs_") + 36
	// placeholderLife is as long as GitHub's tokens are good for.
	placeholderLife = time.Hour

	maxPlaceholders     = 10000    // kept of each client
	maxPlaceholderBytes = 32 << 20 // of the narrowings of each client's
)

// placeholder is an installation token to the program that holds it. To the
// proxy it is the choice of an installation and of a narrowing.
type placeholder struct {
	token        string
	instance     rules.Instance // whose hosts it is good for
	client       string         // who may use it
	app          string
	installation auth.InstallationID
	narrow       *auth.Narrowing // nil for all that the installation may do
	expires      time.Time
}

// choose makes a want that of the placeholder. What a rule chose for the route
// holds: the placeholder cannot choose otherwise.
func (p *placeholder) choose(want *auth.Want, route *rules.Route) error {
	if want.App != "" && want.App != p.app || want.Installation != 0 && want.Installation != p.installation {
		return &refusal{
			status: 403, code: "http_request_denied",
			title:  fmt.Sprintf("rule[%d] chooses another App or installation than this token's, installation %d of App %s", route.Rule, p.installation, p.app),
			remedy: "ask for a token of that one, or change the rule",
		}
	}
	narrow, err := p.narrow.And(want.Narrow)
	if err != nil {
		return &refusal{status: 403, code: "http_request_denied", title: err.Error(), remedy: "ask for a token of what the rule allows"}
	}
	want.App, want.Installation, want.Narrow = p.app, p.installation, narrow
	return nil
}

// placeholders are those that are good now. They are forgotten when they
// expire, or when a client has too many, its first to expire first.
type placeholders struct {
	mu    sync.RWMutex
	byKey map[string]*list.Element // token → where it is in its client's order
	of    map[string]*held         // client → its own
}

// held are the placeholders of one client.
type held struct {
	order list.List // of *placeholder; all live as long, so it is that of expiry
	bytes int
}

func newPlaceholders() *placeholders {
	return &placeholders{byKey: make(map[string]*list.Element), of: make(map[string]*held)}
}

// add gives p a token and a time to expire, and keeps it.
func (s *placeholders) add(p *placeholder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	p.token, p.expires = newPlaceholderToken(), now.Add(placeholderLife)
	of := s.of[p.client]
	if of == nil {
		of = &held{}
		s.of[p.client] = of
	}
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
func (s *placeholders) find(token string, instance rules.Instance, client string) *placeholder {
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

// end forgets a placeholder that find returned.
func (s *placeholders) end(p *placeholder) {
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
	case !strings.EqualFold(scheme, "Basic"), len(value) > 4*placeholderSize:
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
	return len(token) == placeholderSize && strings.HasPrefix(token, placeholderPrefix)
}
