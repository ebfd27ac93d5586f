package githubtest

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SecondaryLimits are limits that GitHub has besides the quota, for each installation, and for each App with its JWT:
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits. What is zero does
// not limit.
type SecondaryLimits struct {
	Concurrent       int // requests at once, until they are answered
	Points           int // of the REST API in any minute
	GraphQLPoints    int // of GraphQL in any minute
	CreationsAMinute int
	CreationsAnHour  int
	MintsAnHour      int

	Minute     time.Duration // how long it is, and a sixtieth of the hour; the default is what it says
	RetryAfter int           // seconds, which a refusal names; the default is 60
	Takes      time.Duration // by each request
}

// GitHubLimits are those of github.com.
func GitHubLimits() SecondaryLimits {
	return SecondaryLimits{Concurrent: 100, Points: 900, GraphQLPoints: 2000, CreationsAMinute: 80, CreationsAnHour: 500, MintsAnHour: 2000}
}

// secondary is what is counted.
type secondary struct {
	limits  SecondaryLimits
	used    map[string]*spent // "points|installation 111" → what was taken of it
	tripped map[string]int    // limit → how many requests
}

// spent is what was taken of a limit.
type spent struct {
	under int
	at    []time.Time // of each unit in the last span
}

// LimitSecondary enforces limits from now on.
func (s *Server) LimitSecondary(l SecondaryLimits) {
	if l.Minute == 0 {
		l.Minute = time.Minute
	}
	if l.RetryAfter == 0 {
		l.RetryAfter = 60
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secondary = &secondary{l, make(map[string]*spent), make(map[string]int)}
}

// Tripped says how many requests were refused for which of the secondary limits.
func (s *Server) Tripped() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secondary == nil {
		return nil
	}
	return maps.Clone(s.secondary.tripped)
}

func (l *secondary) of(limit, whose string) *spent {
	key := limit + "|" + whose
	if l.used[key] == nil {
		l.used[key] = new(spent)
	}
	return l.used[key]
}

// take takes n of a limit in a span, and reports whether that was too much.
func (l *secondary) take(limit, whose string, n, most int, span time.Duration, now time.Time) (tooMuch bool) {
	if most == 0 || n == 0 {
		return false
	}
	s := l.of(limit, whose)
	for len(s.at) > 0 && now.Sub(s.at[0]) >= span {
		s.at = s.at[1:]
	}
	for range n {
		s.at = append(s.at, now)
	}
	if len(s.at) <= most {
		return false
	}
	l.tripped[limit]++
	return true
}

// arrive counts a request to the API that has a credential, and says how it is refused if that is too much; a reply of status 0 means
// that it is not. leave is called before it is answered.
func (c *call) arrive() (refused reply, leave func()) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	l, whose := c.s.secondary, c.cred.owner()
	if l == nil || whose == "" || c.service != serviceAPI {
		return reply{}, func() {}
	}
	now := time.Now()
	minute, hour := l.limits.Minute, 60*l.limits.Minute
	under := l.of("concurrent", whose)
	under.under++
	tooMuch := false
	if l.limits.Concurrent > 0 && under.under > l.limits.Concurrent {
		l.tripped["concurrent"]++
		tooMuch = true
	}
	points, graphQL, creates, mints := c.weigh()
	if graphQL {
		tooMuch = l.take("graphql points", whose, points, l.limits.GraphQLPoints, minute, now) || tooMuch
	} else {
		tooMuch = l.take("points", whose, points, l.limits.Points, minute, now) || tooMuch
	}
	if creates {
		tooMuch = l.take("creations a minute", whose, 1, l.limits.CreationsAMinute, minute, now) || tooMuch
		tooMuch = l.take("creations an hour", whose, 1, l.limits.CreationsAnHour, hour, now) || tooMuch
	}
	if mints {
		tooMuch = l.take("mints", whose, 1, l.limits.MintsAnHour, hour, now) || tooMuch
	}
	leave = func() {
		time.Sleep(l.limits.Takes)
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		under.under--
	}
	if !tooMuch {
		return reply{}, leave
	}
	return problemDocs(http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits").
		with("Retry-After", strconv.Itoa(l.limits.RetryAfter)), leave
}

// owner is whose limits a credential takes from, "" for nobody's.
func (c *credential) owner() string {
	switch {
	case c.kind == CredentialJWT && c.app != nil:
		return "app " + c.app.Slug
	case c.token != nil:
		return "installation " + strconv.FormatInt(c.token.installation, 10)
	}
	return ""
}

// weigh is what a request takes.
func (c *call) weigh() (points int, graphQL, creates, mints bool) {
	method, path := c.r.Method, c.path
	if graphQL = path == "/graphql"; graphQL {
		text := string(c.body)
		mutation := strings.Contains(text, "mutation")
		if creates = mutation && (strings.Contains(text, "createIssue") || strings.Contains(text, "addComment")); mutation {
			return 5, true, creates, false
		}
		return 1, true, false, false
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return 1, false, false, false
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	creates = method == http.MethodPost && strings.HasPrefix(path, "/repos/") &&
		(last == "issues" || last == "comments" || last == "pulls" || last == "reviews" || last == "releases")
	return 5, false, creates, last == "access_tokens"
}
