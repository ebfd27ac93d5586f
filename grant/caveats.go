package grant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

const (
	// MaxLifetime is how long a grant may be good. What is revoked is kept as long.
	MaxLifetime = 90 * 24 * time.Hour
	// MaxActor and MaxPurpose are how long they may be, in bytes.
	MaxActor, MaxPurpose = 100, 256

	maxPace = 1_000_000_000 // as config has it
)

// Caveats are what one link of a grant allows. What is zero, or nil, it does not
// limit; an empty list allows nothing. The keys are those of [client.NAME] where it
// has them, and mean the same. The JSON is what is signed: a field keeps its name
// and its place, and new ones come last.
type Caveats struct {
	Expires   int64 `json:"expires,omitzero"`    // Unix time
	NotBefore int64 `json:"not_before,omitzero"` // as well

	Owners            []string          `json:"owners,omitzero"`
	Repositories      []string          `json:"repositories,omitzero"`
	Permissions       map[string]string `json:"permissions,omitzero"`
	ReadOnly          bool              `json:"read_only,omitzero"`
	Operations        []string          `json:"operations,omitzero"` // the client's key allow
	Push              []string          `json:"push,omitzero"`
	DeleteRefs        []string          `json:"delete_refs,omitzero"`
	Networks          []string          `json:"networks,omitzero"` // from which it may be used
	RequestsPerMinute int               `json:"requests_per_minute,omitzero"`

	// Who asks, and what for, as whoever made the link says. They limit nothing.
	Actor   string `json:"actor,omitzero"`
	Purpose string `json:"purpose,omitzero"`
}

// text is the one way to write the caveats.
func (c *Caveats) text() []byte {
	text, err := json.Marshal(c)
	if err != nil {
		panic("grant: strings do not marshal: " + err.Error())
	}
	return text
}

var errUnknownCaveat = errors.New("the grant has a caveat that is not known here: a newer version of ghapp-proxy made it, or nobody did")

// parseCaveats reads what text returns, and nothing else.
func parseCaveats(text []byte) (c Caveats, err error) {
	if err := json.Unmarshal(text, &c); err != nil || !bytes.Equal(c.text(), text) { // a key that is not known is lost
		return Caveats{}, errUnknownCaveat
	}
	return c, c.checkPlain() // who uses the lists reads them
}

// check reports what no link may have.
func (c *Caveats) check() error {
	if err := c.checkPlain(); err != nil {
		return err
	}
	if _, err := c.networks(); err != nil {
		return err
	}
	_, err := c.Limits()
	return err
}

// checkPlain is check without the lists.
func (c *Caveats) checkPlain() error {
	switch {
	case c.Expires < 0, c.NotBefore < 0:
		return errors.New("a time is before 1970")
	case c.RequestsPerMinute < 0, c.RequestsPerMinute > maxPace:
		return errors.New("requests_per_minute: not a number of requests")
	}
	if err := checkWords("actor", c.Actor, MaxActor); err != nil {
		return err
	}
	return checkWords("purpose", c.Purpose, MaxPurpose)
}

// checkWords refuses what would steer a terminal, or begin another line.
func checkWords(key, text string, most int) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, bad) || strings.TrimSpace(text) != text {
		return fmt.Errorf("%s: up to %d bytes of printable text are allowed", key, most)
	}
	return nil
}

// Limits are those of the caveats that a client has as well.
func (c *Caveats) Limits() (limits policy.Client, err error) {
	limits.ReadOnly = c.ReadOnly
	parseAll(&limits.Owners, c.Owners, "owners", rules.ParseOwnerGlob, &err)
	parseAll(&limits.Repositories, c.Repositories, "repositories", rules.ParseRepositoryGlob, &err)
	parseAll(&limits.Allow, c.Operations, "operations", policy.ParseOperation, &err)
	parseAll(&limits.Push, c.Push, "push", policy.ParseRefPattern, &err)
	parseAll(&limits.DeleteRefs, c.DeleteRefs, "delete_refs", policy.ParseRefPattern, &err)
	for name, level := range c.Permissions {
		if !github.IsPermissionName(name) || github.LevelRank(level) < 0 {
			return limits, fmt.Errorf("permissions: %.100q = %.100q is no permission with a level of read, write or admin", name, level)
		}
	}
	limits.Permissions = c.Permissions
	return limits, err
}

// unlimited is the first of some keys of [client.NAME] that the caveats do not limit, ""
// for none.
func (c *Caveats) unlimited(keys []string) string {
	lists := map[string][]string{"owners": c.Owners, "repositories": c.Repositories, "push": c.Push, "delete_refs": c.DeleteRefs}
	for _, key := range keys {
		if lists[key] == nil {
			return key
		}
	}
	return ""
}

// parseAll reads a list; nil stays nil. An error of before stays, too.
func parseAll[T any](to *[]T, list []string, key string, parse func(string) (T, error), failed *error) {
	if list == nil {
		return
	}
	*to = make([]T, 0, len(list))
	for _, text := range list {
		value, err := parse(text)
		if err != nil && *failed == nil {
			*failed = fmt.Errorf("%s: %.100q: %w", key, text, err)
		}
		*to = append(*to, value)
	}
}

// networks are those of the caveats, nil for any.
func (c *Caveats) networks() (list []netip.Prefix, err error) {
	parseAll(&list, c.Networks, "networks", policy.ParseNetwork, &err)
	return list, err
}
