package policy

import (
	"slices"

	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// Decide says why the client may not make a request, nil if it may. The route is
// one that rules.Set.Decide has decided about, with names filled in where they
// could be found; the document is that of a POST to GraphQL, nil if it was not
// read. Nothing that is given is changed or kept.
func (c *Client) Decide(req rules.Request, route *rules.Route, document *graphql.Document) *Denial {
	if denial := c.decide(req, route, document); denial != nil {
		return denial
	}
	return c.firstWithin(func(limit *Client) *Denial { return limit.decide(req, route, document) })
}

func (c *Client) decide(req rules.Request, route *rules.Route, document *graphql.Document) *Denial {
	if !c.limited() {
		return nil
	}
	if route.Also != "" { // the body makes another operation of it as well
		also := *route
		also.Operation, also.Also = route.Also, ""
		if denial := c.decide(req, &also, document); denial != nil {
			return denial
		}
	}
	denial := c.decideHost(req.Host.Name)
	if denial == nil {
		denial = c.decideOperation(&req, route, document)
	}
	if denial == nil {
		denial = c.decideRead(&req, route)
	}
	if denial == nil {
		denial = c.decideCredential(route)
	}
	if denial == nil {
		denial = c.decideSubjects(&req, route, document)
	}
	if denial == nil {
		denial = c.decideGraphQL(route, document)
	}
	if denial == nil {
		denial = c.decideRefMove(&req, route, document)
	}
	return denial
}

// DecideHost says why the client may not reach a served host, nil if it may.
func (c *Client) DecideHost(name string) *Denial {
	if denial := c.decideHost(name); denial != nil {
		return denial
	}
	return c.firstWithin(func(limit *Client) *Denial { return limit.decideHost(name) })
}

func (c *Client) decideHost(name string) *Denial {
	if c == nil || c.Hosts == nil || slices.Contains(c.Hosts, name) {
		return nil
	}
	return c.deny("hosts", "add it to hosts, if it is meant to", "may not reach %s", name)
}

// DecideApp says why the client may not use an App, nil if it may.
func (c *Client) DecideApp(name string) *Denial {
	if denial := c.decideApp(name); denial != nil {
		return denial
	}
	return c.firstWithin(func(limit *Client) *Denial { return limit.decideApp(name) })
}

func (c *Client) decideApp(name string) *Denial {
	if c == nil || c.Apps == nil || slices.Contains(c.Apps, name) {
		return nil
	}
	return c.deny("apps", "add it to apps, if it is meant to", "may not use the App %s", name)
}

// decideOperation is about allow and deny.
func (c *Client) decideOperation(req *rules.Request, route *rules.Route, document *graphql.Document) *Denial {
	if c.Allow == nil && c.Deny == nil {
		return nil
	}
	var paths rules.Paths
	if hasPath(c.Allow) || hasPath(c.Deny) {
		paths = rules.PathsOf(*req, route)
	}
	for i := range c.Deny {
		op := &c.Deny[i]
		if !op.denies(req, route, document, &paths) {
			continue
		}
		key := element("deny", i)
		switch {
		case op.method != "" && !paths.Any(op.pattern):
			return c.deny(key, "name the owner and the repository in the path", "may not use a path by number: it cannot be told whether %q is meant", op.text)
		case op.tag == TagAdmin && isUnknown(route.Operation):
			return c.deny(key, "", "may not use an operation that GitHub's descriptions do not have: it might be one of %q", op.text)
		case op.tag == TagAdmin && document != nil:
			return c.deny(key, "", "may not run the mutation %q, which %q denies", firstMutation(document, isAdminMutation), op.text)
		}
		return c.deny(key, "", "may not use %q, which %q denies", route.Operation, op.text)
	}
	allows := func(op Operation) bool { return op.allows(req, route, &paths) }
	if c.Allow != nil && !slices.ContainsFunc(c.Allow, allows) {
		return c.deny("allow", "add it to allow, if it is meant to", "may not use %q, which is not allowed", route.Operation)
	}
	return nil
}

// readPosts are operations that only read, but take a POST.
var readPosts = []string{"markdown/render", "markdown/render-raw", "orgs/list-attestations-bulk", "users/list-attestations-bulk"}

// decideRead refuses what may write, the first request of a push included. An LFS
// batch call passes: its body says whether it is an upload, and GitHub refuses that to
// a token that may only read.
func (c *Client) decideRead(req *rules.Request, route *rules.Route) *Denial {
	switch {
	case !c.ReadOnly, route.Read, route.Exchange:
		return nil
	case req.Method == "POST" && slices.Contains(readPosts, route.Operation):
		return nil
	case route.Operation == "graphql" && req.Method == "POST":
		return nil // decideGraphQL sees whether it is a mutation
	}
	return c.deny("read_only", "", "may only read, and %q may write", route.Operation)
}

// decideCredential refuses credentials that do not obey the client's limits.
func (c *Client) decideCredential(route *rules.Route) *Denial {
	const remedy = "jwt = true allows it, for all that the App may do"
	switch route.Credential {
	case rules.None, rules.Installation: // within the Scope
	case rules.JWT:
		if !c.JWT && !route.Exchange { // a placeholder obeys the client's limits
			return c.deny("jwt", remedy, "has limits, and may not use %q: it takes the App's own token, which cannot be limited", route.Operation)
		}
	case rules.ClientSecret:
		if !c.JWT {
			return c.deny("jwt", remedy, "has limits, and may not use %q: it takes the App's client secret, which cannot be limited", route.Operation)
		}
	case rules.Keep:
		if !route.ForClient {
			return c.deny("", "name the client in the clients of that rule", "has limits, which do not bind a credential of its own: rule[%d] lets it pass, but does not name the client", route.Rule)
		}
	default:
		return c.deny("", "", "has limits, and may not use %q: it takes a credential of which it is not known what limits it", route.Operation)
	}
	if route.App != "" {
		return c.decideApp(route.App)
	}
	return nil
}
