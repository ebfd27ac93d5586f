package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"ghapp-proxy/replay"
	"ghapp-proxy/rules"
)

// noticeUncovered looks whether a request left with less than it needed, which cannot
// be seen from GitHub's answer.
func (x *exchange) noticeUncovered(resp *http.Response) {
	if x.source == nil || x.Route.Credential != rules.Installation || !x.credential.Anonymous() && !x.credential.Fallback {
		return
	}
	if !x.suffers(resp) {
		return
	}
	x.uncovered = x.source.Uncovered(x.session.host.Instance, x.want)
}

// suffers reports whether an answer is one that a stranger gets.
func (x *exchange) suffers(resp *http.Response) bool {
	search := strings.HasPrefix(x.Route.Operation, "search/")
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return true
	case status == http.StatusUnprocessableEntity:
		return search // "the resources do not exist or you do not have permission to view them"
	case status != http.StatusOK:
		return false
	case x.Route.Operation == "graphql":
		return len(x.want.Others) > 0 || strings.Contains(replay.Peek(resp), `"NOT_FOUND"`)
	}
	return search && len(x.want.Others) > 0
}

// leftAs says with what a request left that no installation covers.
func (x *exchange) leftAs() string {
	if x.credential.Anonymous() {
		return "left without a credential"
	}
	return fmt.Sprintf("left as %s, the default", x.credential)
}
