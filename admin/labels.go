package admin

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"ghapp-proxy/event"
)

// noClient is the label of who is no client: no name of a client has parentheses.
const noClient = "(none)"

// The classes of routes, which are the values of the label route.
const (
	restRead = iota
	restWrite
	graphqlQuery
	graphqlMutation
	gitFetch
	gitPush
	lfs
	archive
	upload
	web
	elsewhere // http:// to a host that is not served
	tunnel
	undecided // refused before anybody looked at what it asks for

	routes = iota
)

var routeNames = [routes]string{
	"rest_read", "rest_write", "graphql_query", "graphql_mutation", "git_fetch", "git_push", "lfs", "archive", "upload", "web", "elsewhere", "tunnel", "undecided",
}

// routeOf is the class of an Event. Whatever a client sends, it is one of them.
func routeOf(e *event.Event) int {
	if e.Kind != event.Request {
		return tunnel
	}
	switch e.Operation {
	case "":
		return undecided
	case "graphql":
		if e.GraphQL == "mutation" {
			return graphqlMutation
		}
		return graphqlQuery
	case "git-upload-pack", "info/refs":
		return gitFetch
	case "git-receive-pack":
		return gitPush
	case "lfs":
		return lfs
	case "archive", "raw":
		return archive
	case "uploads":
		return upload
	case "web":
		return web
	case "elsewhere":
		return elsewhere
	}
	switch e.Method {
	case http.MethodGet, http.MethodHead:
		return restRead
	}
	return restWrite
}

// credentialNames are the values of the label credential: what left.
var credentialNames = [...]string{"none", "installation", "jwt", "basic", "keep"}

// credentialOf is the index of an Event's.
func credentialOf(e *event.Event) int {
	if e.Decision == event.Forwarded {
		for i, name := range credentialNames {
			if e.Credential == name {
				return i
			}
		}
	}
	return 0
}

// statusNames are the values of the label status: what the client was answered.
var statusNames = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

func statusOf(status int) int {
	if class := status / 100; class > 0 && class < len(statusNames) {
		return class
	}
	return 0
}

// codeOf is a status of GitHub's as a label: those that net/http has a name for.
func codeOf(status int) int {
	if http.StatusText(status) == "" {
		return 0
	}
	return status
}

// clientOf is the label of an Event's client.
func clientOf(name string) string {
	if name == "" {
		return noClient
	}
	return name
}

// keyOf is the label for what decided: a key of the configuration, "" for none.
func keyOf(e *event.Event) string { return strings.ToValidUTF8(e.DecidedBy, "") }

func int64Text(n int64) string { return strconv.FormatInt(n, 10) }

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// seconds are those of a time in Unix time, 0 for the zero value.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
