package grant

import (
	"crypto/sha256"
	"time"

	"ghapp-proxy/policy"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Keyring has the root keys.
type Keyring interface {
	// Keys are those of now. An error means that no grant is good.
	Keys() (Keys, error)
}

// Source is by what grants are verified.
type Source struct {
	Keys    Keyring
	Revoked Revocations
}

const (
	// maxHeld is how many grants are remembered. One more is made anew with each
	// connection, which takes microseconds.
	maxHeld = 16384
	// maxHeldText is how long a grant may be to be remembered, in bytes.
	maxHeldText = 1024
)

// Holders are those who hold grants of some clients. They are safe for concurrent use,
// and a nil *Holders knows no grant.
type Holders struct {
	source  Source
	clients *policy.Set
	known   *lru.Cache[[sha256.Size]byte, *Held] // the grant's hash → what it comes to
}

// NewHolders returns the Holders of grants of the clients.
func NewHolders(source Source, clients *policy.Set) *Holders {
	cache, err := lru.New[[sha256.Size]byte, *Held](maxHeld)
	if err != nil {
		panic("grant: " + err.Error())
	}
	return &Holders{source: source, clients: clients, known: cache}
}

// Hold verifies a grant, and says what it comes to. An error is an *Error; what is
// held may be there all the same, to say whose grant it is.
func (h *Holders) Hold(text string, now time.Time) (*Held, error) {
	if h == nil {
		return nil, fault(Forged, "grants are not served here")
	}
	keys, err := h.source.Keys.Keys()
	if err != nil {
		return nil, errNoKeys
	}
	hash := sha256.Sum256([]byte(text))
	if held, ok := h.known.Get(hash); ok {
		return held, h.Good(held, now)
	}
	held, err := h.verify(text, keys)
	if err != nil {
		return nil, err
	}
	if len(text) <= maxHeldText {
		h.known.Add(hash, held)
	}
	return held, h.Good(held, now)
}

var errNoKeys = fault(Unusable, "nobody can tell whether a grant is good: the root key cannot be read")

// verify is Hold for a grant that is not known.
func (h *Holders) verify(text string, keys Keys) (*Held, error) {
	const forged = "this is no grant of this proxy's, or it was changed"
	g, err := Parse(text)
	if err != nil {
		return nil, fault(Forged, "%v", err)
	}
	key, ok := keys.find(g.key)
	if !ok {
		return nil, fault(Forged, forged)
	}
	ids := g.chain(key)
	if ids == nil {
		return nil, fault(Forged, forged)
	}
	client, ok := h.clients.ByName(g.Client)
	if !ok {
		return nil, fault(Forged, "the grant is of client %s, which is not configured", g.Client)
	}
	if client.NoGrants {
		return nil, fault(Forged, "client %s takes no grants", g.Client)
	}
	if key := g.Links[0].unlimited(client.FromClaims); key != "" {
		return nil, fault(Forged, "the limits of client %s come from the claims of a token, and the grant has no %s", g.Client, key)
	}
	held, err := hold(g, ids, client)
	if err != nil {
		return nil, fault(Forged, "%v", err)
	}
	return held, nil
}

// Good says why a grant is not good any more, or yet, nil if it is.
func (h *Holders) Good(held *Held, now time.Time) error {
	if err := held.InTime(now); err != nil {
		return err
	}
	if keys, err := h.source.Keys.Keys(); err != nil {
		return errNoKeys
	} else if _, trusted := keys.find(held.key); !trusted {
		return fault(Revoked, "the grant %s was made with a root key that is not there any more", held.ID())
	}
	id, revoked, err := h.source.Revoked.Revoked(held.IDs)
	switch {
	case err != nil:
		return fault(Unusable, "nobody can tell whether a grant is good: the list of those that are revoked cannot be read")
	case revoked:
		return fault(Revoked, "the grant %s is revoked", id)
	}
	return nil
}
