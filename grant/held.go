package grant

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/policy"
)

// Held is what a grant comes to, for whoever holds it. It is not changed once it is
// made.
type Held struct {
	Client  *policy.Client // as it is within all links
	Scope   *auth.Scope    // of the Client
	Expires time.Time
	Links   []Link
	IDs     []ID // of the Links

	key       KeyID // that it was verified with
	notBefore time.Time
	networks  [][]netip.Prefix // one of each must have the address
}

// Link is what one link says that limits no request by itself.
type Link struct {
	ID                string
	Actor, Purpose    string // "" for none
	RequestsPerMinute int    // 0 for any
}

// Kind is why a grant is not good.
type Kind uint8

// The kinds.
const (
	Forged   Kind = iota // or not all of one, or somebody else's
	Ended                // by its time
	Early                // not yet
	Long                 // it would be good for too long
	Revoked              // so is one of its links
	Place                // it may not be used from there
	Unusable             // nobody can tell whether it is good
)

// Error says why a grant is not good.
type Error struct {
	Kind   Kind
	Reason string
}

// Error implements error.
func (e *Error) Error() string { return e.Reason }

func fault(kind Kind, format string, args ...any) error {
	return &Error{kind, fmt.Sprintf(format, args...)}
}

// hold makes what a verified grant comes to for its client; ids are those of its
// links.
func hold(g *Grant, ids []ID, base *policy.Client) (*Held, error) {
	h := &Held{key: g.key, IDs: ids}
	var limits []*policy.Client
	for i := range g.Links {
		link := &g.Links[i]
		h.Links = append(h.Links, Link{ID: ids[i].String(), Actor: link.Actor, Purpose: link.Purpose, RequestsPerMinute: link.RequestsPerMinute})
		own, err := link.Limits()
		if err != nil {
			return nil, err
		}
		own.Grant = h.Links[i].ID
		limits = append(limits, &own)
		if err := h.bound(link); err != nil {
			return nil, err
		}
	}
	if h.Expires.IsZero() {
		return nil, errors.New("a grant without an end")
	}
	h.Client = base.Within(limits...)
	h.Scope = decide.ScopeOf(h.Client)
	return h, nil
}

// bound bounds when and where the grant is good.
func (h *Held) bound(link *Caveats) error {
	if end := time.Unix(link.Expires, 0); link.Expires != 0 && (h.Expires.IsZero() || end.Before(h.Expires)) {
		h.Expires = end
	}
	if begin := time.Unix(link.NotBefore, 0); link.NotBefore != 0 && begin.After(h.notBefore) {
		h.notBefore = begin
	}
	networks, err := link.networks()
	if networks != nil {
		h.networks = append(h.networks, networks)
	}
	return err
}

// InTime says why the grant is not good at a time, nil if it is.
func (h *Held) InTime(now time.Time) error {
	switch {
	case !now.Before(h.Expires):
		return fault(Ended, "the grant %s has expired at %s", h.ID(), clock(h.Expires))
	case now.Before(h.notBefore):
		return fault(Early, "the grant %s is not good before %s", h.ID(), clock(h.notBefore))
	case h.Expires.Sub(now) > MaxLifetime:
		return fault(Long, "the grant %s would be good for more than %d days", h.ID(), MaxLifetime/(24*time.Hour))
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// FromPlace says why the grant is not good for whoever connects from an address, nil if
// it is. The zero address is that of a Unix socket.
func (h *Held) FromPlace(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	for _, list := range h.networks {
		if !slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return fault(Place, "the grant %s may not be used from here", h.ID())
		}
	}
	return nil
}

// ID is that of the last link.
func (h *Held) ID() string { return h.Links[len(h.Links)-1].ID }

// Path are the ids of the links, from the root on.
func (h *Held) Path() string {
	ids := make([]string, len(h.Links))
	for i := range h.Links {
		ids[i] = h.Links[i].ID
	}
	return strings.Join(ids, "/")
}

// Actor is who asks, as the first link says that says it: nobody who was given the
// grant could change that.
func (h *Held) Actor() (actor string) {
	for i := range h.Links {
		actor = cmp.Or(actor, h.Links[i].Actor)
	}
	return actor
}

// Purpose is what for, as the first link says that says it.
func (h *Held) Purpose() (purpose string) {
	for i := range h.Links {
		purpose = cmp.Or(purpose, h.Links[i].Purpose)
	}
	return purpose
}

// String says who asks, and by which grant: for those who read a refusal.
func (h *Held) String() string {
	text := "grant " + h.Path()
	if actor := h.Actor(); actor != "" {
		text += " for " + actor
	}
	if purpose := h.Purpose(); purpose != "" {
		text += ": " + purpose
	}
	return text
}
