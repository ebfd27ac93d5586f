package githubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// role is what a route wants to be called with.
type role int

const (
	asAnyone       role = iota // an installation token, or nothing for what is public
	asApp                      // a JWT
	asClient                   // Basic client-id:client-secret
	asInstallation             // an installation token
	asUser                     // a user's token, which the fake does not have
)

// route is one operation. Patterns are those of GitHub's OpenAPI description; a
// parameter matches one segment, {name...} matches the rest.
type route struct {
	method, pattern string
	role            role
	accepts         string // permissions needed, as in X-Accepted-GitHub-Permissions

	// handle answers while s.mu is held; the body is read. stream answers without the
	// lock and reads the body itself. One of them is set.
	handle func(*call) reply
	stream func(*call) reply
}

// match returns the parameters if path, still escaped, matches the pattern.
func (rt *route) match(path string) (map[string]string, bool) {
	params := make(map[string]string)
	pattern := rt.pattern[1:]
	path = path[1:]
	for {
		want, morePattern, more := strings.Cut(pattern, "/")
		if name, ok := strings.CutSuffix(want, "...}"); ok {
			params[name[1:]] = unescape(path)
			return params, path != ""
		}
		got, morePath, deeper := strings.Cut(path, "/")
		if strings.HasPrefix(want, "{") && got != "" {
			params[strings.Trim(want, "{}")] = unescape(got)
		} else if want != got {
			return nil, false
		}
		if more != deeper {
			return nil, false
		}
		if !more {
			return params, true
		}
		pattern, path = morePattern, morePath
	}
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// call is one request under way.
type call struct {
	s       *Server
	in      *instance
	service service
	w       http.ResponseWriter
	r       *http.Request
	path    string // escaped, below the mount
	cred    credential

	route  *route
	params map[string]string
	body   []byte
	access access
	repo   *repository // of /repos/{owner}/{repo}/…
}

func (c *call) param(name string) string { return c.params[name] }

// number returns the parameter as a number, 0 if it is none.
func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.params[name], 10, 64)
	return n
}

// decode reads the body as JSON into v. An empty body leaves v as it is.
func (c *call) decode(v any) bool {
	return len(c.body) == 0 || json.Unmarshal(c.body, v) == nil
}

// reply is an answer. The body is raw, or else the JSON of value, or else empty.
type reply struct {
	status int
	header map[string]string
	value  any
	raw    io.Reader
}

// obj is a JSON object.
type obj = map[string]any

func ok(v any) reply      { return reply{status: http.StatusOK, value: v} }
func created(v any) reply { return reply{status: http.StatusCreated, value: v} }
func noContent() reply    { return reply{status: http.StatusNoContent} }

// docsURL is the documentation_url of most answers.
const docsURL = "https://docs.github.com/rest"

func problem(status int, message string) reply {
	return problemDocs(status, message, docsURL)
}

func problemDocs(status int, message, docs string) reply {
	return reply{status: status, value: obj{
		"message": message, "documentation_url": docs, "status": strconv.Itoa(status),
	}}
}

func notFound() reply { return problem(http.StatusNotFound, "Not Found") }

// invalid is the 422 of a field that GitHub does not like.
func invalid(resource, field, code string) reply {
	return reply{status: http.StatusUnprocessableEntity, value: obj{
		"message": "Validation Failed", "documentation_url": docsURL, "status": "422",
		"errors": []any{obj{"resource": resource, "field": field, "code": code}},
	}}
}

// with adds a header.
func (r reply) with(name, value string) reply {
	h := map[string]string{name: value}
	for k, v := range r.header {
		h[k] = v
	}
	r.header = h
	return r
}
