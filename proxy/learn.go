package proxy

import (
	"fmt"
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
)

// MovedTo implements auth.Links.
func (x *exchange) MovedTo(h http.Header) github.Account {
	moved, _ := x.idIn(h.Get("Location"))
	return moved
}

// NamedBy implements auth.Links: GitHub calls repositories and accounts by their ids
// in Link (page two of /repos/acme/widgets/issues is /repositories/1000/issues).
// Nobody learns from a request that did not name its owner, or got another
// credential than that owner's, which a rule, a default or the client chose.
func (x *exchange) NamedBy(h http.Header) github.Account {
	teaches := x.placeholder == nil && x.Route.Subject.Login != "" && x.Route.Form == answer.JSON && x.Route.Rule == 0 && x.Route.Source == "path"
	if !teaches {
		return github.Account{}
	}
	return x.idInLinks(h)
}

// hint tells the client what it cannot see from GitHub's answer, which stays
// GitHub's (RFC 9209, section 2.1.4): why GitHub refuses what only users may do,
// or what has no credential of its owner's, and whose rate limits those are.
func hint(x *exchange, resp *http.Response) {
	switch {
	case x.OtherSite && resp.StatusCode >= http.StatusBadRequest:
		resp.Header.Add("Proxy-Status", answer.Note(resp.StatusCode,
			"a browser sent this for a page of another site, so that it has no credential: if that is meant, add the page's origin to origins", x.id))
	case x.uncovered != nil:
		resp.Header.Add("Proxy-Status", answer.Note(resp.StatusCode, x.leftAs()+": "+x.uncovered.Error()+"; "+x.uncovered.Remedy(), x.id))
	case x.credential.Installation == 0:
	case x.Route.UserOnly && resp.StatusCode == http.StatusForbidden:
		resp.Header.Add("Proxy-Status", answer.Note(resp.StatusCode, fmt.Sprintf(
			"GitHub opens %s to users only, and an App's installation is none: send it with a user's token, past the proxy or by a rule with auth = \"keep\"", x.Route.Operation), x.id))
	case x.Route.Operation == "rate-limit/get":
		resp.Header.Add("Proxy-Status", answer.Note(0, "the limits of "+x.credential.String(), x.id))
	}
}
