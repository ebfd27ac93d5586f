package cache

import "strconv"

// How is how a Cache came to an answer.
type How uint8

// How a Cache comes to an answer.
const (
	Unasked   How = iota // it was not asked
	Miss                 // it had nothing
	Hit                  // GitHub has answered 304, and the client got what was kept
	Validated            // GitHub has answered 304, and so did the client get: its ETag was another token's
	Changed              // what it had is not what GitHub gives any more
	Passed               // the client's own condition is for GitHub to judge
)

// String is the word for logs, "" where the cache had nothing to do with the answer.
func (h How) String() string {
	return [...]string{"", "", "hit", "validated", "changed", ""}[h]
}

// Field is the value of Cache-Status: RFC 9211, section 2. As a hit counts what the cache has given after
// GitHub's 304, which costs nothing.
func (f Fate) Field(collapsed bool) string {
	if !collapsed && f.How == Miss {
		return name + "; fwd=miss"
	}
	text := name
	switch f.How {
	case Hit, Validated:
		text += "; hit; detail=revalidated"
	case Changed:
		text += "; fwd=stale; fwd-status=" + strconv.Itoa(f.Status)
	case Passed:
		text += "; fwd=request"
	default:
		text += "; fwd=miss"
	}
	if collapsed {
		text += "; collapsed"
	}
	return text
}

// name is this cache's, among those that an answer has passed.
const name = "ghapp-proxy"
