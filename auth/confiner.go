package auth

import (
	"time"

	"ghapp-proxy/github"
)

// maxConfined bounds the narrowings that are remembered.
const maxConfined = 10000

// confiner finds what Scopes come to.
type confiner struct {
	*catalogue
	confined *cache[confined]  // Scope.key → the narrowing that it came to
	absent   *cache[time.Time] // installation.absentKey of repositories that it does not have → when that was asked
}

func newConfiner(all *catalogue) *confiner {
	c := &confiner{all, newCache[confined](maxConfined), newCache[time.Time](maxConfined)}
	all.sweeper.keep(nil, []expirer{c.confined, c.absent})
	return c
}

// confined is what a Scope came to, as long as the facts that it was made of
// are remembered.
type confined struct {
	narrow *github.Narrowing
	facts  *facts
	list   *listing // nil if it was not looked at
}

// selection is what a token is narrowed to, by name or by id; the zero value is
// every repository.
type selection struct {
	names     []string
	ids       []int64
	list      *listing // where the ids are from
	requested bool     // another request may come to another
	namesAll  bool     // it is just what the request names: there are very many of the kind
}
