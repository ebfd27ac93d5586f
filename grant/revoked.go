package grant

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Revocations say which links are revoked. They are asked with each request, so that
// they must not wait for anybody, and are safe for concurrent use.
type Revocations interface {
	// Revoked returns the first of the ids that is revoked. An error means that
	// nobody can tell: then no grant is good.
	Revoked(ids []ID) (id ID, revoked bool, err error)
}

// Revocation is a link that is revoked, with all grants that have it.
type Revocation struct {
	ID    ID
	Until time.Time // when each of these will have ended by itself
}

// MaxRevocations is how many links may be revoked at once.
const MaxRevocations = 100_000

// errManyRevocations says what to do instead.
var errManyRevocations = fmt.Errorf("more than %d grants are revoked at once: replace the root key instead, which ends all of them", MaxRevocations)

// revoked are those of a list: the id → when all of its grants have ended.
type revoked map[ID]time.Time

// parseRevoked reads what format returns.
func parseRevoked(text []byte) (revoked, error) {
	list := make(revoked)
	in := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		word, at, _ := strings.Cut(line, " ")
		id, err := ParseID(word)
		until, timeErr := time.Parse(time.RFC3339, at)
		if err = errors.Join(err, timeErr); err != nil {
			return nil, fmt.Errorf("line %d: not an id and a time", n)
		}
		list[id] = until
	}
	if len(list) > MaxRevocations {
		return nil, errManyRevocations
	}
	return list, in.Err()
}

func (list revoked) format() []byte {
	text := []byte("# Grants of ghapp-proxy that are revoked, and until when that has to be known.\n")
	for _, r := range list.sorted() {
		text = fmt.Appendf(text, "%s %s\n", r.ID, r.Until.UTC().Format(time.RFC3339))
	}
	return text
}

// sorted are the revocations, those that end first before others.
func (list revoked) sorted() []Revocation {
	var all []Revocation
	for id, until := range list {
		all = append(all, Revocation{id, until})
	}
	slices.SortFunc(all, func(a, b Revocation) int {
		return cmp.Or(a.Until.Compare(b.Until), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return all
}

// dropEnded drops those whose grants have ended.
func (list revoked) dropEnded(now time.Time) {
	maps.DeleteFunc(list, func(_ ID, until time.Time) bool { return !now.Before(until) })
}
