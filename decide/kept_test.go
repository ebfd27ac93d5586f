package decide_test

import (
	"testing"

	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

func TestMayBeKept(t *testing.T) {
	api, server := github.Host{Service: github.API}, github.Host{Service: github.GHES}
	for _, test := range []struct {
		method string
		host   github.Host
		path   string
		route  rules.Route
		want   bool
	}{
		{"GET", api, "/repos/a/b", rules.Route{}, true},
		{"GET", server, "/api/v3/repos/a/b", rules.Route{}, true},
		{"HEAD", api, "/repos/a/b", rules.Route{}, false},
		{"POST", api, "/repos/a/b", rules.Route{}, false},
		{"GET", api, "/graphql", rules.Route{}, false},
		{"GET", server, "/api/graphql", rules.Route{}, false},
		{"GET", server, "/a/b/info/refs", rules.Route{}, false},
		{"GET", github.Host{Service: github.Web}, "/a/b/info/refs", rules.Route{}, false},
		{"GET", github.Host{Service: github.Raw}, "/a/b/main/x", rules.Route{}, false},
		{"GET", github.Host{Service: github.Uploads}, "/repos/a/b", rules.Route{}, false},
		{"GET", api, "/x", rules.Route{HandsOut: true}, false},
		{"GET", api, "/x", rules.Route{Exchange: true}, false},
	} {
		if got := decide.MayBeKept(test.method, test.host, test.path, &test.route); got != test.want {
			t.Errorf("MayBeKept(%s, %s of %d, %+v) = %v, want %v", test.method, test.path, test.host.Service, test.route, got, test.want)
		}
	}
}
