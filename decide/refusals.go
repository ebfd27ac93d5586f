package decide

import (
	"net/http"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// What the rules refuse, and what they cannot read.
var (
	badTarget = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title: "%v", About: "the request target is not clear",
	})
	handedToNobody = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied, DecidedBy: "allow_anonymous",
		Title:  "this operation hands out a credential, and nobody knows who asks for it",
		Remedy: "send it as a client, and name that in the rule's clients",
	})
	byRule = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%s", About: "a rule, or the built-in table, refuses the operation",
	})
)

// Revoked tells a client that the token has ended that it shares with others.
var Revoked = answer.Define(answer.Kind{
	Status: http.StatusNoContent, Code: answer.RequestDenied,
	Title: string(rules.RefusedRevoke),
})

// byClient is what a client's table in the configuration denies.
var byClient = answer.Define(answer.Kind{
	Status: http.StatusForbidden, Code: answer.RequestDenied,
	Title: "%v", About: "client … may not … (client.….…)",
})

// Denied is a client's Denial as an answer, nil for none.
func Denied(d *policy.Denial) *answer.Refusal {
	if d == nil {
		return nil
	}
	f := byClient.Refuse(d)
	f.Status, f.Remedy, f.DecidedBy = d.Status, d.Remedy, d.Key
	return f
}

// tellable is a denial that does not tell the name which GitHub gave to an id:
// that is not for everybody who can count.
func (d *decision) tellable(denial *policy.Denial) *policy.Denial {
	if d.Client.IsGranted(d.req, &d.Route, d.Document) {
		return denial
	}
	nameless := d.Route
	nameless.Subject, nameless.Others = d.Asked, d.others
	if without := d.Client.Decide(d.req, &nameless, d.Document); without != nil {
		return without
	}
	return denial
}

// FormFor is the form of errors before a request is classified.
func FormFor(host github.Host) answer.Form {
	switch host.Service {
	case github.API, github.Uploads:
		return answer.JSON
	default:
		return answer.Text
	}
}

// isRemoteAuth reports whether an Authorization is of the scheme of stored objects.
func isRemoteAuth(authorization string) bool {
	name, _, _ := strings.Cut(authorization, " ")
	return strings.EqualFold(name, "RemoteAuth")
}
