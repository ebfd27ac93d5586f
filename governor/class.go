package governor

import "fmt"

// Class is a kind of request, by what of GitHub's limits it takes.
type Class uint8

// The classes. A request of the REST API that changes something costs five points, as a mutation does; all
// else costs one: docs.github.com "Rate limits for the REST API", "Calculating points for the secondary rate limit".
const (
	Read           Class = iota // GET, HEAD and OPTIONS of the REST API
	Search                      // the same below /search/
	CodeSearch                  // of /search/code
	Query                       // of GraphQL
	Write                       // any other method
	Create                      // such a one that makes content: an issue, a comment, a review
	Mutation                    // of GraphQL
	CreateMutation              // such a one that makes content
	Mint                        // an installation token, with the App's JWT
	Ask                         // GET /rate_limit, which takes of no primary limit

	classes = iota
)

var classNames = [classes]string{
	Read: "read", Search: "search", CodeSearch: "search of code", Query: "GraphQL query", Write: "write", Create: "creation of content",
	Mutation: "mutation", CreateMutation: "mutation that creates content", Mint: "request for a token", Ask: "question about limits",
}

// String says what a class is, and how many points it takes.
func (c Class) String() string {
	if n := costOf[c].points; n > 1 {
		return fmt.Sprintf("%s, %d points", classNames[c], n)
	}
	return classNames[c] + ", 1 point"
}

// primary is one of the primary limits that GitHub counts for an installation.
type primary uint8

const (
	core primary = iota
	search
	codeSearch
	graphQL
	none

	primaries = iota
)

// Limit is something that a request may have to wait for.
type Limit uint8

// The limits. Where several are used up, the first of them is named.
const (
	RetryAfter       Limit = iota // GitHub said to wait
	Quota                         // a primary limit
	Mints                         // tokens in an hour
	CreationsAnHour               // content made in an hour
	CreationsAMinute              // content made in a minute
	Points                        // of the REST API in a minute
	GraphQLPoints                 // of GraphQL in a minute
	Concurrent                    // requests at once
	WritePause                    // between requests that change something
	Share                         // a client's share of a primary limit
	Full                          // too many wait already

	limits = iota
)

var limitNames = [limits]string{
	"retry_after", "quota", "mints", "creations_an_hour", "creations_a_minute", "points", "graphql_points", "concurrent", "write_pause", "share", "full",
}

// String is the limit as metrics and logs have it.
func (l Limit) String() string { return limitNames[l] }

// LimitNames are those of all limits.
func LimitNames() []string { return limitNames[:] }

// set is a set of limits; of Quota it has one for each primary limit.
type set uint32

func (l Limit) bit() set { return 1 << l }

func (p primary) bit() set { return 1 << (limits + p) }

const quotas = set(1<<primaries-1) << limits

// first is the first of a set, requests at once where it is empty.
func (s set) first() Limit {
	for l := range Limit(limits) {
		if s&l.bit() != 0 || l == Quota && s&quotas != 0 {
			return l
		}
	}
	return Concurrent
}

// costs are what a class takes.
type costs struct {
	points int
	quota  primary
	needs  set
	of     []take
}

// take is how much a class takes of a limit with a window.
type take struct {
	limit Limit
	n     int
}

const (
	always    = 1<<RetryAfter | 1<<Concurrent
	creations = 1<<CreationsAMinute | 1<<CreationsAnHour
)

var costOf = [classes]costs{
	Read:           {points: 1, quota: core, needs: always | 1<<Points},
	Search:         {points: 1, quota: search, needs: always | 1<<Points},
	CodeSearch:     {points: 1, quota: codeSearch, needs: always | 1<<Points},
	Query:          {points: 1, quota: graphQL, needs: always | 1<<GraphQLPoints},
	Write:          {points: 5, quota: core, needs: always | 1<<Points | 1<<WritePause},
	Create:         {points: 5, quota: core, needs: always | 1<<Points | 1<<WritePause | creations},
	Mutation:       {points: 5, quota: graphQL, needs: always | 1<<GraphQLPoints | 1<<WritePause},
	CreateMutation: {points: 5, quota: graphQL, needs: always | 1<<GraphQLPoints | 1<<WritePause | creations},
	Mint:           {points: 5, quota: core, needs: always | 1<<Points | 1<<Mints},
	Ask:            {points: 1, quota: none, needs: always | 1<<Points},
}

func init() {
	for c := range costOf {
		cost := &costOf[c]
		for l := range Limit(limits) {
			if n := cost.takes(l); n > 0 && windowed&l.bit() != 0 {
				cost.of = append(cost.of, take{l, n})
			}
		}
	}
}

// windowed are the limits with a span of time.
const windowed = 1<<Mints | creations | 1<<Points | 1<<GraphQLPoints

// takes is how much a class takes of a limit.
func (c *costs) takes(l Limit) int {
	switch {
	case c.needs&l.bit() == 0:
		return 0
	case l == Points, l == GraphQLPoints:
		return c.points
	}
	return 1
}

// writes reports whether a class changes something for a client.
func (c Class) writes() bool { return costOf[c].needs&WritePause.bit() != 0 }
