package rules

import (
	"strings"

	"ghapp-proxy/github"
)

// addCompared adds the repositories that a comparison is between, besides the
// one in the path: /repos/{owner}/{repo}/compare/{basehead}, where base and head
// may each be OWNER:BRANCH, of a fork, or OWNER:REPO:BRANCH. A branch has no
// colon. OWNER:BRANCH does not say what the fork is called.
//
// Source: docs.github.com "Compare two commits".
func (route *Route) addCompared(path *github.Path) {
	if !isOneOf(route.Operation, "repos/compare-commits", "repos/compare-commits-with-basehead", "dependency-graph/diff-range") {
		return
	}
	plain := path.Text
	if !strings.ContainsAny(plain, ":%") {
		return
	}
	for range 3 {
		plain = github.Unescape(plain)
	}
	at := strings.Index(strings.ToLower(plain), compare)
	if at < 0 {
		return
	}
	for side := range strings.SplitSeq(plain[at+len(compare):], "...") {
		route.addHead(side)
	}
}

const compare = "/compare/"
