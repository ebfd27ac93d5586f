package decide_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

func hostNamed(name string) github.Host {
	for _, instance := range []github.Instance{"github.com", "ghe.example.com"} {
		for _, host := range instance.Hosts() {
			if host.Name == name {
				return host
			}
		}
	}
	panic("no host is named " + name)
}

// told is a verdict in a line, and whom was asked on the way.
func told(by *decide.Snapshot, method, url string, header http.Header, body string) string {
	name, target, _ := strings.Cut(url, "/")
	path, query, _ := strings.Cut("/"+target, "?")
	in := decide.Intake{Method: method, Host: hostNamed(name), Path: path, Query: query, Header: header, Length: int64(len(body))}
	asked := ""
	v := decide.Decide(by, &in, decide.Effects{
		Body: func(most int64) ([]byte, *answer.Refusal) {
			asked += " (body)"
			if int64(len(body)) > most {
				return nil, nil
			}
			return []byte(body), nil
		},
		Name: func(s *github.Account) *answer.Refusal {
			asked += " (name)"
			if s.RepositoryID == 9 {
				return &answer.Refusal{Title: "too many questions"}
			}
			*s = github.Account{Login: "globex", Repo: fmt.Sprint("secret-", s.RepositoryID)}
			return nil
		},
	})
	switch {
	case v.Refused != nil:
		return fmt.Sprintf("%d %s%s", v.Refused.Status, v.Refused.Title, asked)
	case v.Revokes:
		return "revokes" + asked
	}
	text := v.Route.Credential.String()
	for _, also := range []struct {
		is   bool
		what string
	}{{v.Route.Exchange, "exchange"}, {v.OtherSite, "other site"}, {v.LooksIntoPush, "push"}, {v.BlankCloneTokens, "blank"}} {
		if also.is {
			text += " " + also.what
		}
	}
	return text + asked
}

var (
	json       = http.Header{"Content-Type": {"application/json"}}
	nobody     = &decide.Snapshot{}
	acme       = limited(policy.Client{Owners: []rules.Glob{"acme"}})
	reader     = limited(policy.Client{ReadOnly: true})
	pusher     = limited(policy.Client{Push: []policy.RefPattern{{}}})
	exchanging = &decide.Snapshot{Rules: rules.Set{Exchange: true}}
	handing    = rules.Set{Rules: []rules.Rule{{Operations: []string{"apps/create-installation-access-token"}, Auth: rules.JWT}}}
	denying    = &decide.Snapshot{Rules: rules.Set{Rules: []rules.Rule{{Repositories: []rules.Glob{"globex/*"}, Deny: "not theirs"}}}}
	without    = &decide.Snapshot{Rules: rules.Set{Rules: []rules.Rule{{Auth: rules.None}}}}
)

func limited(c policy.Client) *decide.Snapshot {
	c.Name = "agent"
	return &decide.Snapshot{Client: &c}
}

// with is the fields of JSON and another.
func with(name string, values ...string) http.Header {
	h := json.Clone()
	h[name] = values
	return h
}

// TestDecide has a case for each thing that is looked at, and whom the client or
// GitHub is asked for on the way.
func TestDecide(t *testing.T) {
	const (
		repo = "api.github.com/repos/acme/widgets"
		tool = "api.github.com/repos/globex/tools"
		form = "application/x-www-form-urlencoded"
	)
	for _, test := range []struct {
		by          *decide.Snapshot
		method, url string
		header      http.Header
		body        string
		want        string
	}{
		// What could be carried out as something else.
		{nobody, "CONNECT", repo, nil, "", `405 the method "CONNECT" is not served`},
		{nobody, "get", repo, nil, "", `405 the method "get" is not served`},
		{nobody, "POST", repo, with("X-Http-Method-Override", "DELETE"), "", "400 the field X-Http-Method-Override asks for another method"},
		{nobody, "POST", repo, with("X_http_method", "DELETE"), "", "400 the field X_http_method can be taken for X-Http-Method"},
		{nobody, "POST", repo, with("Content_type", form), "", "400 the field Content_type can be taken for Content-Type"},
		{nobody, "POST", repo, with("Connection", "close, content-type"), "", "400 Connection must not name Content-Type"},
		{nobody, "GET", "api.github.com/repos/acme/../globex", nil, "", `400 a dot segment`},
		{limited(policy.Client{Hosts: []string{"github.com"}}), "get", repo, nil, "", "403 client agent may not reach api.github.com"},

		// Documents, and what makes them unclear.
		{acme, "POST", "api.github.com/graphql?x=1", json, `{"query":"{viewer{login}}"}`, "403 client agent has limits, and may not make a GraphQL request that has a query string"},
		{denying, "POST", "api.github.com/graphql", json, `{"query":"{repository(owner:\"acme\",name:\"x\"){id}}"}`, "installation (body)"},
		{denying, "POST", "api.github.com/graphql?x=1", json, `{"query":"{repository(owner:\"acme\",name:\"x\"){id}}"}`, "403 rule[1] looks at whom (body)"},
		{denying, "POST", "api.github.com/graphql", http.Header{"Content-Type": {form}}, `{"query":"{repository(owner:\"acme\",name:\"x\"){id}}"}`, "403 rule[1] looks at whom (body) (body)"},
		{denying, "POST", "api.github.com/graphql", with("Content-Encoding", "gzip"), `{"query":"{repository(owner:\"acme\",name:\"x\"){id}}"}`, "403 rule[1] looks at whom"},
		{denying, "POST", "api.github.com/graphql", json, `{"query":"{repository(owner:\"globex\",name:\"x\"){id}}"}`, "403 rule[1] denies this: not theirs (body)"},
		{limited(policy.Client{GraphQL: policy.GraphQLRead}), "POST", "api.github.com/graphql", json, `{"query":"mutation{addStar(input:{}){clientMutationId}}"}`, "403 client agent may only read by GraphQL (body)"},

		// Bodies.
		{acme, "POST", repo + "/issues", http.Header{"Content-Type": {form}}, "title=x&_method=DELETE", "400 the form's field _method asks for another method than the request's (body)"},
		{acme, "POST", repo + "/issues", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--x--", "400 the form's field _method (body)"},
		{acme, "POST", repo + "/issues", http.Header{"Content-Type": {form}, "Content-Encoding": {"gzip"}}, "x", "400 a form that is compressed"},
		{acme, "POST", repo + "/issues?_method=DELETE", json, "{}", "400 the form's field _method (body)"},
		{acme, "POST", repo + "/transfer", json, `{"new_owner":"globex"}`, "403 client agent is not granted globex (body)"},
		{denying, "POST", repo + "/transfer", json, `{"new_owner":"acme"}`, "installation (body)"},
		{denying, "POST", repo + "/transfer", with("Content-Encoding", "gzip"), `{"new_owner":"acme"}`, "403 rule[1] looks at whom"},
		{denying, "POST", repo + "/transfer", http.Header{"Content-Type": {"text/plain"}}, `{"new_owner":"acme"}`, "403 rule[1] looks at whom"},
		{denying, "GET", "api.github.com/search/code?q=x+repo:acme/widgets", nil, "", "installation"},
		{denying, "GET", "api.github.com/search/code?q=x+repo:acme/widgets", http.Header{"Content-Type": {form}}, "q=x", "403 rule[1] looks at whom"},
		{nobody, "POST", repo + "/transfer", json, `{"new_owner":"globex"}`, "installation"},
		{acme, "POST", tool + "/transfer", json, `{"new_owner":"globex"}`, "403 client agent is not granted the repository globex/tools"},

		// Names of what is known by number, and whom they are told.
		{nobody, "GET", "api.github.com/repositories/7", nil, "", "installation"},
		{reader, "GET", "api.github.com/repositories/7", nil, "", "installation blank"},
		{denying, "GET", "api.github.com/repositories/7", nil, "", "403 rule[1] denies this: not theirs (name)"},
		{acme, "GET", "api.github.com/repositories/7", nil, "", "403 client agent may not make a request about somebody of whom only the number is known (name)"},
		{acme, "GET", "api.github.com/repositories/9", nil, "", "0 too many questions (name)"},
		{acme, "PUT", "api.github.com/orgs/acme/teams/x/repos/acme/widgets", nil, "", "installation"},
		{denying, "PUT", "api.github.com/orgs/acme/actions/secrets/KEY/repositories", json, `{"selected_repository_ids":[7]}`, "403 rule[1] denies this: not theirs (body) (name)"},

		// Rules and limits.
		{denying, "GET", tool, nil, "", "403 rule[1] denies this: not theirs"},
		{reader, "DELETE", repo, nil, "", `403 client agent may only read, and "repos/delete" may write`},
		{&decide.Snapshot{Rules: handing, Anonymous: true}, "POST", "api.github.com/app/installations/1/access_tokens", json, "", "403 this operation hands out a credential, and nobody knows"},
		{&decide.Snapshot{Rules: handing}, "POST", "api.github.com/app/installations/1/access_tokens", json, "", "jwt"},
		{exchanging, "POST", "api.github.com/app/installations/1/access_tokens", json, "", "jwt exchange"},
		{nobody, "DELETE", "api.github.com/installation/token", nil, "", "204 this would revoke"},
		{exchanging, "DELETE", "api.github.com/installation/token", nil, "", "revokes"},

		// What else is done to a request, or to its answer.
		{nobody, "GET", repo, http.Header{"Origin": {"https://example.com"}}, "", "none other site"},
		{nobody, "GET", repo, http.Header{"Origin": {"https://github.com"}}, "", "installation"},
		{nobody, "GET", repo + "?callback=f", nil, "", "none other site"},
		{&decide.Snapshot{Origins: []string{"https://example.com"}}, "GET", repo, http.Header{"Origin": {"https://example.com"}}, "", "installation"},
		{exchanging, "POST", "api.github.com/app/installations/1/access_tokens", http.Header{"Origin": {"https://example.com"}}, "", "none other site"},
		{nobody, "GET", "ghe.example.com/storage/1", http.Header{"Authorization": {"RemoteAuth x"}}, "", "keep"},
		{nobody, "GET", "ghe.example.com/storage/1", http.Header{"Authorization": {"token x"}}, "", "none"},
		{nobody, "GET", "github.com/storage/1", http.Header{"Authorization": {"RemoteAuth x"}}, "", "none"},
		{without, "GET", "ghe.example.com/storage/1", http.Header{"Authorization": {"RemoteAuth x"}}, "", "none"},
		{reader, "GET", repo, nil, "", "installation blank"},
		{nobody, "GET", repo, nil, "", "installation"},
		{pusher, "POST", "github.com/acme/widgets.git/git-receive-pack", nil, "", "installation push"},
		{nobody, "POST", "github.com/acme/widgets.git/git-receive-pack", nil, "", "installation"},
	} {
		got := told(test.by, test.method, test.url, test.header, test.body)
		if want, asked, _ := strings.Cut(test.want, " ("); !strings.HasPrefix(got, want) || askedFor(got) != askedFor(" ("+asked) || got[0] > '9' && got != test.want {
			t.Errorf("%s %s %s = %q, want %q", test.method, test.url, test.body, got, test.want)
		}
	}
}

// TestDecidedBy: a refusal names the key that decided.
func TestDecidedBy(t *testing.T) {
	for _, test := range []struct {
		by   *decide.Snapshot
		want string
	}{{denying, "rule[1]"}, {acme, "client.agent.owners"}} {
		in := decide.Intake{Method: "GET", Host: hostNamed("api.github.com"), Path: "/repos/globex/tools"}
		if v := decide.Decide(test.by, &in, decide.Effects{}); v.Refused == nil || v.Refused.DecidedBy != test.want {
			t.Errorf("GET %s: %+v, want it decided by %s", in.Path, v.Refused, test.want)
		}
	}
}

// TestAccount: whose a placeholder is counts where somebody looks at names, and may
// be refused.
func TestAccount(t *testing.T) {
	ended := &answer.Refusal{Title: "ended"}
	for _, test := range []struct {
		by      *decide.Snapshot
		path    string
		refused *answer.Refusal
		login   string
		want    *answer.Refusal
	}{
		{nobody, "/rate_limit", ended, "", nil},
		{acme, "/repos/acme/widgets", ended, "acme", nil},
		{acme, "/rate_limit", nil, "acme", nil},
		{acme, "/rate_limit", ended, "", ended},
	} {
		in := decide.Intake{Method: "GET", Host: hostNamed("api.github.com"), Path: test.path}
		v := decide.Decide(test.by, &in, decide.Effects{Account: func(route *rules.Route) *answer.Refusal {
			if test.refused == nil {
				route.Subject = github.Account{Login: "acme"}
			}
			return test.refused
		}})
		if v.Refused != test.want || v.Route.Subject.Login != test.login {
			t.Errorf("GET %s: %v, about %q; want %v, about %q", test.path, v.Refused, v.Route.Subject.Login, test.want, test.login)
		}
	}
}

// TestApplyDefaultOwner: it is for who names nobody, and is not asked over a rule.
func TestApplyDefaultOwner(t *testing.T) {
	for _, test := range []struct {
		route rules.Route
		login string
		want  github.Account
	}{
		{rules.Route{}, "acme", github.Account{Login: "acme"}},
		{rules.Route{}, "", github.Account{}},
		{rules.Route{Subject: github.Account{TeamID: 1}}, "acme", github.Account{Login: "acme"}},
		{rules.Route{Subject: github.Account{Login: "globex"}}, "acme", github.Account{Login: "globex"}},
		{rules.Route{Subject: github.Account{RepositoryID: 1}}, "acme", github.Account{RepositoryID: 1}},
		{rules.Route{ForcedInstallation: 1}, "acme", github.Account{}},
	} {
		route := test.route
		if decide.ApplyDefaultOwner(&route, test.login); route.Subject != test.want {
			t.Errorf("ApplyDefaultOwner(%+v, %q) = %+v, want %+v", test.route, test.login, route.Subject, test.want)
		}
	}
}

// askedFor is whom the end of a line says was asked.
func askedFor(line string) string { return askedEnd.FindString(line) }

var askedEnd = regexp.MustCompile(`( \((body|name)\))*$`)
