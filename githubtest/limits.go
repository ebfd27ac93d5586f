package githubtest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The quotas per hour:
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
const (
	limitInstallation = 5000
	limitAnonymous    = 60
	limitSearch       = 30 // per minute
)

// quota counts the requests of an installation, or of everybody without one.
type quota struct {
	limit     int
	used      int
	reset     time.Time
	exhausted bool // by a test: nothing is left until reset
}

// ExhaustRateLimit leaves the installation nothing of its primary rate limit until d
// from now: REST answers 403, GraphQL 200 with RATE_LIMITED.
func (s *Server) ExhaustRateLimit(installation int64, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[installation] = &quota{limit: limitInstallation, reset: s.clock().Add(d), exhausted: true}
}

// SetRateLimit makes the installation's primary rate limit another one, until it is reset in an hour. GitHub gives those of many
// users more.
func (s *Server) SetRateLimit(installation int64, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[installation] = &quota{limit: limit, reset: s.clock().Add(time.Hour)}
}

// RestoreRateLimit gives the installation its whole primary rate limit back.
func (s *Server) RestoreRateLimit(installation int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.limits, installation)
}

func (t *token) quotaKey() int64 {
	if t == nil {
		return 0
	}
	return t.installation
}

// quota returns the quota as of now. s.mu is held.
func (s *Server) quota(key int64) *quota {
	q := s.limits[key]
	if q == nil || !s.clock().Before(q.reset) {
		q = &quota{limit: limitInstallation, reset: s.clock().Add(time.Hour)}
		if key == 0 {
			q.limit = limitAnonymous
		}
		s.limits[key] = q
	}
	if q.exhausted {
		q.used = q.limit
	}
	return q
}

// countRequest takes one from the quota, or says that there is none left.
// Anonymous requests are counted, but never refused.
func (s *Server) countRequest(c *call) reply {
	q := s.quota(c.access.token.quotaKey())
	if c.route.pattern == "/rate_limit" {
		return reply{} // "does not count against your REST API rate limit"
	}
	if q.used < q.limit {
		q.used++
		return reply{}
	}
	if c.access.token == nil {
		return reply{}
	}
	message := fmt.Sprintf("API rate limit exceeded for installation ID %d.", c.access.token.installation)
	if c.route.pattern == "/graphql" {
		return ok(obj{"errors": []any{obj{"type": "RATE_LIMITED", "message": message}}})
	}
	return problemDocs(http.StatusForbidden, message,
		"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api")
}

// refund gives back what a 304 cost.
func (s *Server) refund(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.quota(c.access.token.quotaKey()); q.used > 0 && !q.exhausted {
		q.used--
	}
	s.setRateHeaders(c, c.w.Header())
}

func (s *Server) rateHeaders(c *call, h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setRateHeaders(c, h)
}

func (s *Server) setRateHeaders(c *call, h http.Header) {
	if c.route != nil && (c.route.role == asApp || c.route.role == asClient) {
		return // limits of their own, which the fake does not count
	}
	token := c.access.token
	if c.route == nil {
		token = c.cred.token // whose limit it is, though nothing is there
	}
	q := s.quota(token.quotaKey())
	h.Set("X-RateLimit-Limit", strconv.Itoa(q.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(q.limit-q.used))
	h.Set("X-RateLimit-Used", strconv.Itoa(q.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(q.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", c.resource())
}

// resource is the name of the quota that the request takes from.
func (c *call) resource() string {
	switch {
	case c.route == nil:
		return "core"
	case c.route.pattern == "/graphql":
		return "graphql"
	case len(c.route.pattern) > 8 && c.route.pattern[:8] == "/search/":
		return "search"
	}
	return "core"
}

// rateLimit is GET /rate_limit.
func (c *call) rateLimit() reply {
	q := c.s.quota(c.access.token.quotaKey())
	entry := func(limit, used int, resource string) obj {
		return obj{"limit": limit, "used": used, "remaining": limit - used, "reset": q.reset.Unix(), "resource": resource}
	}
	return ok(obj{
		"resources": obj{
			"core":                 entry(q.limit, q.used, "core"),
			"search":               entry(limitSearch, 0, "search"),
			"graphql":              entry(q.limit, 0, "graphql"),
			"integration_manifest": entry(q.limit, 0, "integration_manifest"),
			"code_search":          entry(limitAnonymous, 0, "code_search"),
		},
		"rate": entry(q.limit, q.used, "core"),
	})
}
