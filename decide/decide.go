// Package decide is the decision about a request: one function, from the request
// and the configuration to the verdict.
//
//	intake := decide.Intake{Method: "GET", Host: host, Path: "/repos/acme/widgets"}
//	verdict := decide.Decide(&decide.Snapshot{Rules: set, Client: client}, &intake, decide.Effects{})
//	if verdict.Refused != nil { … }
//
// The order of what is looked at stands here and nowhere else: the proxy follows
// the Verdict, and `ghapp-proxy explain` tells it. What has to be asked of somebody
// is asked through Effects: the client for a body, GitHub for a name.
package decide

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// Snapshot is the configuration that a decision is made by, for one client.
type Snapshot struct {
	Rules  rules.Set
	Client *policy.Client // nil for somebody without limits

	// Anonymous is somebody who is none of the configured clients: he gets nothing
	// that hands out a credential.
	Anonymous bool

	// DefaultOwner is whom a request means that names nobody, "" for the default
	// installation. A client has its own.
	DefaultOwner string

	// Origins are those of web pages whose requests get a credential though they
	// are for another site than GitHub's, "*" for all.
	Origins []string
}

// Intake is what is looked at of a request.
type Intake struct {
	Method string
	Host   github.Host // as decided when the connection was accepted, never from the request
	Path   string      // the request target up to "?", as sent
	Query  string      // the request target after "?", as sent
	Header http.Header
	Length int64 // of the body, -1 if that is not known
}

// request is the part that the rules look at.
func (in *Intake) request(client *policy.Client) rules.Request {
	req := rules.Request{Method: in.Method, Host: in.Host, Path: in.Path, Query: in.Query}
	if client != nil {
		req.Client = client.Name
	}
	return req
}

// Effects are what a decision asks for while it is made, and only where it has to.
// Each may refuse the request. A nil one is not there.
type Effects struct {
	// Body returns the body if it has at most so many bytes, and nil if it is
	// larger, or not there.
	Body func(most int64) ([]byte, *answer.Refusal)

	// Account fills in the account of a route that names nobody, if the client's own
	// credential says whose it is.
	Account func(*rules.Route) *answer.Refusal

	// Documents has what was parsed of GraphQL documents, nil for nothing.
	Documents *graphql.Cache

	// Name puts the name into a subject of which only an id is known, if GitHub
	// tells it.
	Name func(*github.Account) *answer.Refusal
}

// Verdict is what a request gets.
type Verdict struct {
	Refused *answer.Refusal // nil for a request that passes
	Revokes bool            // it is to be answered: its client gives its placeholder back

	Route    rules.Route
	Asked    github.Account    // whom the request names, before ids were named
	Document *graphql.Document // of GraphQL, nil if none was read
	Reads    bool              // the request changes nothing, whatever its method

	OtherSite        bool // it is for a web page of another site, and gets no credential
	LooksIntoPush    bool // each ref of the push has to be decided about
	BlankCloneTokens bool // the answer may hold clone tokens, which the client must not get
}

// decision is a Verdict that is being made.
type decision struct {
	Snapshot
	in      Intake
	effects Effects
	req     rules.Request
	others  []github.Account // of the route, before ids were named
	Verdict
}

// decisions are those that nobody makes just now.
var decisions = sync.Pool{New: func() any { return new(decision) }}

// Decide decides about a request.
func Decide(by *Snapshot, in *Intake, effects Effects) Verdict {
	d := decisions.Get().(*decision)
	d.Snapshot, d.in, d.effects, d.req = *by, *in, effects, in.request(by.Client)
	d.Route.Form = FormFor(in.Host)
	d.Refused = d.decide()
	verdict := d.Verdict
	*d = decision{}
	decisions.Put(d)
	return verdict
}

// decide is the order of the decision. It returns why the request is refused.
func (d *decision) decide() *answer.Refusal {
	for _, step := range [...]func(*decision) *answer.Refusal{
		(*decision).checkHost,
		(*decision).checkMethod,
		(*decision).classify,
		(*decision).checkPath,
		(*decision).readDocument,
		(*decision).readBody,
		(*decision).nameSubjects,
		(*decision).applyRules,
		(*decision).applyLimits,
	} {
		if refused := step(d); refused != nil || d.Revokes {
			return refused
		}
	}
	d.withholdFromPages()
	d.passStoredObject()
	return nil
}

// checkHost refuses what the client may not reach at all, as a CONNECT does.
func (d *decision) checkHost() *answer.Refusal {
	return Denied(d.Client.DecideHost(d.in.Host.Name))
}

// classify finds the operation, and whom it is about.
func (d *decision) classify() *answer.Refusal {
	route, err := rules.Classify(d.req)
	if err != nil {
		return badTarget.Refuse(err)
	}
	d.Route = route
	return nil
}

// checkPath refuses by the names in the path, before the body has come: a body can
// only name more.
func (d *decision) checkPath() *answer.Refusal {
	if d.Route.Subject.Login == "" || d.Route.Operation == "graphql" || !d.Client.Limited() {
		return nil
	}
	plain, ruled := d.Route, d.Route
	if d.Client.Decide(d.req, &plain, nil) == nil {
		return nil
	}
	d.Rules.Decide(d.req, &ruled) // which may choose another credential
	if ruled.Refused != "" {
		return nil
	}
	return Denied(d.Client.Decide(d.req, &ruled, nil))
}

// nameSubjects finds the names of what a request names by id only, where somebody
// looks at names. What cannot be named stays as it is, unless GitHub may not be
// asked.
func (d *decision) nameSubjects() *answer.Refusal {
	d.Reads = d.Route.Read || d.Document != nil && !d.Document.Mutation
	looked := d.Rules.LookAtSubjects() || d.Client.LooksAtNames()
	if looked && d.effects.Account != nil && d.Route.Credential == rules.Installation && !d.Route.Subject.Named() {
		if refused := d.effects.Account(&d.Route); refused != nil {
			return refused
		}
	}
	d.Asked, d.others = d.Route.Subject, d.Route.Others
	if !looked || d.effects.Name == nil {
		return nil
	}
	d.Route.Others = slices.Clone(d.Route.Others)
	if refused := d.nameSubject(&d.Route.Subject); refused != nil {
		return refused
	}
	for i := range d.Route.Others {
		if refused := d.nameSubject(&d.Route.Others[i]); refused != nil {
			return refused
		}
	}
	return nil
}

func (d *decision) nameSubject(s *github.Account) *answer.Refusal {
	if s.Login != "" || !s.Named() {
		return nil
	}
	return d.effects.Name(s)
}

// applyRules chooses the credential, or refuses.
func (d *decision) applyRules() *answer.Refusal {
	d.Rules.Decide(d.req, &d.Route)
	switch refused := d.Route.Refused; {
	case refused == rules.RefusedRevoke && d.Rules.Exchange:
		d.Revokes = true
	case refused == rules.RefusedRevoke:
		return Revoked.Refuse() // to the client it has ended; it never had it
	case refused == "" && d.Anonymous && d.Route.HandsOut && !d.Route.Exchange:
		return handedToNobody.Refuse()
	case refused != "":
		f := byRule.Refuse(refused)
		if d.Route.Rule != 0 {
			f.DecidedBy = fmt.Sprintf("rule[%d]", d.Route.Rule)
		}
		return f
	}
	return nil
}

// applyLimits refuses what the client's limits deny.
func (d *decision) applyLimits() *answer.Refusal {
	if denial := d.Client.Decide(d.req, &d.Route, d.Document); denial != nil {
		return Denied(d.tellable(denial))
	}
	d.LooksIntoPush = d.Client.LimitsRefs() && d.Route.Operation == "git-receive-pack"
	d.BlankCloneTokens = d.Client.Limited() && d.Route.CloneToken && d.Route.Credential == rules.Installation
	return nil
}

// passStoredObject keeps the client's own credential where it is that of a stored
// object.
func (d *decision) passStoredObject() {
	if d.Route.Credential == rules.None && d.isStoredObject() {
		d.Route.Credential = rules.Keep
	}
}

// isStoredObject reports whether a request fetches or stores an object of Git
// LFS at a GHES. The answer to the batch call has the URL, on the instance's own host,
// and an Authorization of the scheme RemoteAuth, which is good for that object alone;
// no other credential would do.
func (d *decision) isStoredObject() bool {
	own := d.in.Header["Authorization"]
	return d.in.Host.Service == github.GHES && d.Route.Operation == "web" && d.Route.Rule == 0 && len(own) == 1 && isRemoteAuth(own[0])
}
