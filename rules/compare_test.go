package rules_test

import (
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"

	"github.com/google/go-cmp/cmp"
)

func TestCompared(t *testing.T) {
	tools := []github.Account{{Login: "globex", Repo: "tools"}}
	for target, want := range map[string]struct {
		others  []github.Account
		unclear bool
	}{
		"api.github.com/repos/acme/widgets/compare/main...dev":                            {},
		"api.github.com/repos/acme/widgets/compare/main...feature/x":                      {},
		"api.github.com/repos/acme/widgets/compare/main...acme:dev":                       {},
		"api.github.com/repos/acme/widgets/compare/main...acme:widgets:dev":               {},
		"api.github.com/repos/acme/widgets/compare/main...globex:tools:main":              {others: tools},
		"api.github.com/repos/acme/widgets/compare/globex:tools:main...main":              {others: tools},
		"api.github.com/repos/acme/widgets/compare/main...globex%3Atools%3Amain":          {others: tools},
		"api.github.com/repos/acme/widgets/compare/main...globex%253Atools%253Amain":      {others: tools},
		"api.github.com/repos/acme/widgets/%63ompare/main...globex:tools:main":            {others: tools},
		"api.github.com/repos/acme/widgets/Compare/main...globex:tools:main":              {others: tools},
		"api.github.com/repos/acme/widgets/dependency-graph/compare/main...globex:x:main": {others: []github.Account{{Login: "globex", Repo: "x"}}},
		"api.github.com/repositories/9001/compare/main...globex:tools:main":               {others: tools},
		"api.github.com/repos/acme/widgets/compare/main...globex:main":                    {unclear: true},
		"api.github.com/repositories/9001/compare/main...acme:main":                       {unclear: true},
		"api.github.com/repos/acme/widgets/compare/main...a:b:c:d":                        {unclear: true},
		"api.github.com/repos/acme/widgets/compare/main...globex:tools/x:main":            {unclear: true},
		"api.github.com/repos/acme/widgets/contents/compare/a:b:c":                        {},
	} {
		route, err := rules.Classify(request(t, "GET "+target))
		if err != nil || route.Unclear != want.unclear || !cmp.Equal(route.Others, want.others) {
			t.Errorf("%s: others %v, unclear %v, %v, want %+v", target, route.Others, route.Unclear, err, want)
		}
	}
}
