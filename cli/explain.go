package cli

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/decide"
	"ghapp-proxy/docs"
	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"

	"github.com/spf13/cobra"
)

func newExplain(s *settings) *cobra.Command {
	var data string
	var by asker
	var asJSON, refusals bool
	cmd := &cobra.Command{
		Use:   "explain [METHOD] URL [flags] | explain CONNECT HOST:PORT | explain --json - | explain --grant GRANT | explain --oidc-file FILE | explain --refusals",
		Short: "Say what a request would get, and why",
		Long: `Say what a request would get, and why. Without METHOD it is GET. It says the operation, the credential, the owner and
where it was found, the installation, and the rule that decided. Nobody is asked,
so an installation that is not in the configuration is "would be discovered", and
of a host that is tunnelled the name decides, but not yet its addresses. With
--client, it says whether that client may make the request, and if not, why;
without it, what somebody gets who is no client.

With "-" it reads requests from standard input, one a line: METHOD URL, which a
tab and a body may follow. It answers each with one line.

With --grant it says what a grant allows, or what a request with it would get. The
grant is verified if the root key is there, and decoded if not.

With --oidc-file it says so of a token of an issuer. It is verified as the proxy does,
which asks the issuer for its keys where no file has them, if the configuration
has the issuer, and decoded if not; the token is not used up.

With --refusals it prints all refusals there are, and what to do about each.`,
		Args: func(_ *cobra.Command, args []string) error {
			if err := by.check(args); err != nil {
				return &statusError{exitConfig, err}
			}
			if (refusals || by.shows()) && len(args) == 0 {
				return nil
			}
			if len(args) != 2 && (len(args) != 1 || args[0] != "-" && !strings.Contains(args[0], "/")) {
				return &statusError{exitConfig, errors.New("explain needs URL, METHOD and URL, or - (see ghapp-proxy explain --help)")}
			}
			if args[0] == "-" && data != "" {
				return &statusError{exitConfig, errors.New("--data goes with METHOD and URL: with -, a body follows the URL after a tab")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if refusals {
				_, err := io.WriteString(cmd.OutOrStdout(), docs.Refusals)
				return err
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			defer out.Flush()
			if len(args) == 0 {
				return by.describe(cmd, s, out)
			}
			e, err := by.explainer(cmd, s)
			if err != nil {
				return err
			}
			write := writeText
			if asJSON {
				write = writeJSON
			}
			if args[0] == "-" {
				return e.lines(cmd.InOrStdin(), func(a explanation) error { return write(out, a) })
			}
			if len(args) == 1 {
				args = []string{http.MethodGet, args[0]}
			}
			a, err := e.explain(args[0], args[1], data)
			if err != nil {
				return &statusError{exitConfig, err}
			}
			return write(out, a)
		},
	}
	cmd.Flags().StringVarP(&data, "data", "d", "", "the request's `body`, in JSON")
	by.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer with one JSON object a line")
	cmd.Flags().BoolVar(&refusals, "refusals", false, "print every refusal there is, as Markdown")
	return cmd
}

// explanation is what explain says about a request. The JSON names are an interface.
type explanation struct {
	Client       string                `json:"client,omitempty"`
	Method       string                `json:"method"`
	URL          string                `json:"url"`
	Operation    string                `json:"operation"`
	Credential   string                `json:"credential"` // jwt, installation, basic, none, keep, refused
	Reason       string                `json:"reason,omitempty"`
	Key          string                `json:"key,omitempty"` // of the client's, that refuses
	Remedy       string                `json:"remedy,omitempty"`
	Owner        string                `json:"owner"`
	Enterprise   bool                  `json:"enterprise,omitempty"`
	Repository   string                `json:"repository"`
	RepositoryID int64                 `json:"repository_id"`
	AccountID    int64                 `json:"account_id,omitempty"`
	TeamID       int64                 `json:"team_id,omitempty"`
	Others       int                   `json:"other_owners,omitempty"`
	Source       string                `json:"source"`
	App          string                `json:"app,omitempty"`
	Installation github.InstallationID `json:"installation,omitempty"`
	How          string                `json:"how,omitempty"`
	Rule         int                   `json:"rule,omitempty"` // [[rule]], from 1; 0 for the built-in table
	Narrowing    string                `json:"narrowing,omitempty"`
	UserOnly     bool                  `json:"user_only,omitempty"`
	Kept         bool                  `json:"kept,omitempty"`    // with [cache], its answer
	Limited      string                `json:"limited,omitempty"` // how GitHub's limits count it: "write"
	Error        string                `json:"error,omitempty"`   // a line that is no request
}

// explainer explains requests to the hosts of a configuration.
type explainer struct {
	hosts    map[string]github.Host
	first    github.Instance // of URLs without a host
	snapshot decide.Snapshot
	source   *auth.Source
	egress   *policy.Egress // that of serve
}

// newExplainer reads the configuration; without any App it explains the
// built-in table for github.com. client is the name of one, or "".
func newExplainer(cmd *cobra.Command, s *settings, client string) (*explainer, error) {
	cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
	if err != nil {
		return nil, err
	}
	return explainerOf(cfg, client)
}

// explainerOf is newExplainer for a configuration that is read.
func explainerOf(cfg *config.Config, client string) (*explainer, error) {
	limited, err := clientNamed(cfg, client)
	if err != nil {
		return nil, err
	}
	e := &explainer{
		hosts: make(map[string]github.Host), egress: servedEgress(cfg),
		snapshot: decide.Snapshot{
			Rules: ruleSet(cfg), Client: limited, Anonymous: limited == nil && cfg.AllowAnonymous, DefaultOwner: cfg.DefaultOwner, Origins: cfg.Origins,
		},
		source: auth.New(cfg.Apps, auth.Options{Fallback: cfg.Fallback}),
	}
	served := servedHosts(cfg)
	if len(served) == 0 {
		served = github.GitHubCom.Hosts()
	}
	e.first = served[0].Instance
	for _, host := range served {
		e.hosts[host.Name] = host
	}
	return e, nil
}

// lines explains the requests that stand in r, one a line.
func (e *explainer) lines(r io.Reader, write func(explanation) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, graphql.MaxBody+64<<10)
	for in.Scan() {
		request, body, _ := strings.Cut(in.Text(), "\t")
		method, target, _ := strings.Cut(strings.TrimSpace(request), " ")
		if method == "" {
			continue
		}
		a, err := e.explain(method, strings.TrimSpace(target), body)
		if err != nil {
			a = explanation{Method: method, URL: target, Error: err.Error()}
		}
		if err := write(a); err != nil {
			return err
		}
	}
	return in.Err()
}

// explain says what one request would get. Of the URL only the host is parsed:
// the rest is taken as it would be sent. A URL may also be a path of the API.
func (e *explainer) explain(method, target, body string) (explanation, error) {
	a := explanation{Method: method, URL: target}
	if e.snapshot.Client != nil {
		a.Client = e.snapshot.Client.Name
	}
	if method == "CONNECT" {
		return e.explainConnect(a)
	}
	host, path, query, err := e.split(target)
	if err != nil {
		return a, err
	}
	if host.Name == "" {
		return e.explainElsewhere(a)
	}
	intake := decide.Intake{Method: method, Host: host, Path: path, Query: query, Length: int64(len(body))}
	if body != "" {
		intake.Header = http.Header{"Content-Type": {"application/json"}}
	}
	verdict := decide.Decide(&e.snapshot, &intake, decide.Effects{
		Body: func(int64) ([]byte, *answer.Refusal) { return []byte(body), nil },
	})
	if verdict.Route.Operation == "graphql" && method == "POST" && verdict.Document == nil && body != "" {
		if _, err := graphql.Read([]byte(body)); err != nil {
			a.How = "the document is not understood (" + err.Error() + "); "
		}
	}
	e.describe(&a, host, &verdict)
	a.Kept = a.Credential != "refused" && !verdict.Revokes && decide.MayBeKept(method, host, path, &verdict.Route)
	if class, limited := decide.LimitedAs(method, host, path, &verdict.Route, verdict.Document); limited && takesCredential(&verdict.Route) && a.Credential != "refused" {
		a.Limited = class.String()
	}
	return a, nil
}

// takesCredential reports whether a request leaves with what GitHub counts it for.
func takesCredential(route *rules.Route) bool {
	return route.Credential == rules.Installation || route.Credential == rules.JWT
}

// refuse puts why a request is refused in place of what it would get otherwise.
func (a *explanation) refuse(refused *answer.Refusal) {
	a.Credential, a.App, a.Installation, a.How, a.Narrowing = "refused", "", 0, "", ""
	a.Reason, a.Remedy, a.Key = refused.Title, refused.Remedy, refused.DecidedBy
}

// describe fills the explanation in from a verdict.
func (e *explainer) describe(a *explanation, host github.Host, verdict *decide.Verdict) {
	route, client := &verdict.Route, e.snapshot.Client
	byNumber := client.LooksAtNames() && route.Subject.Named() && route.Subject.Login == ""
	if route.Credential == rules.Installation && verdict.Refused == nil && !verdict.Revokes {
		decide.ApplyDefaultOwner(route, client.OwnerOr(e.snapshot.DefaultOwner))
	}
	a.Operation, a.Credential, a.Source = route.Operation, route.Credential.String(), route.Source
	a.Owner, a.Enterprise, a.Repository = route.Subject.Login, route.Subject.Enterprise, route.Subject.Repo
	a.RepositoryID, a.AccountID, a.TeamID = route.Subject.RepositoryID, route.Subject.AccountID, route.Subject.TeamID
	a.Others, a.Rule, a.UserOnly = len(route.Others), route.Rule, route.UserOnly
	if verdict.Revokes {
		verdict.Refused = decide.Revoked.Refuse()
	}
	if verdict.Refused == nil {
		verdict.Refused = e.describeCredential(a, host.Instance, route)
	}
	if verdict.Refused != nil {
		a.refuse(verdict.Refused)
		switch {
		case byNumber:
			a.How = "unless the proxy finds the name of that number, and it is granted"
		case verdict.Revokes:
			a.How = "unless the client sends a placeholder, which would end"
		}
	}
}

// describeCredential fills in which credential a route gets. It returns why there is none.
func (e *explainer) describeCredential(a *explanation, instance github.Instance, route *rules.Route) *answer.Refusal {
	client := e.snapshot.Client
	switch route.Credential {
	case rules.Installation:
		want := decide.WantOf(route)
		want.Within = decide.ScopeOf(client)
		plan := e.source.Plan(instance, want)
		a.App, a.Installation, a.How = plan.App, plan.Installation, a.How+plan.How
		a.Narrowing = narrowing(want.Narrow, client)
		switch plan.How {
		case auth.PlanAnonymous:
			a.Credential = "none"
		case auth.PlanRefused:
			uncovered := e.source.Uncovered(instance, want)
			return &answer.Refusal{Title: uncovered.Error(), Remedy: uncovered.Remedy()}
		}
	case rules.ClientSecret:
		cred, err := e.source.ForClient(instance, route.App, route.ClientID)
		if unknown, is := errors.AsType[*auth.ClientSecretError](err); is {
			return unknown.Refusal()
		}
		a.App = cred.App.Name
	case rules.JWT:
		a.App = decide.AppFor(e.source, route, instance, client)
		if route.Exchange {
			a.Installation = route.InstallationID
			a.Credential, a.How = "placeholder", "answered by the proxy; the App is that of the client's JWT, if it sends one"
		}
	}
	if a.App != "" {
		return decide.Denied(client.DecideApp(a.App))
	}
	return nil
}

// narrowing says to what a token is narrowed by a rule and by a client's limits.
func narrowing(byRule *github.Narrowing, client *policy.Client) string {
	parts := []string{byRule.String(), client.Narrowing()}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", within ")
}

// split takes a URL apart without changing what would be sent.
func (e *explainer) split(target string) (host github.Host, path, query string, err error) {
	if strings.HasPrefix(target, "/") {
		api := e.first.APIURL()
		host, path = e.hosts[api.Host], api.Path+target
	} else {
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return host, "", "", fmt.Errorf("%q is not a URL such as https://api.github.com/repos/acme/widgets", target)
		}
		name, port := github.SplitHost(u.Host)
		host = e.hosts[name]
		if plain := u.Scheme == "http" && (port == "" || port == "80"); host.Name != "" && port != "" && port != "443" && !plain {
			return host, "", "", fmt.Errorf("port %s of %s is not served", port, name)
		}
		_, path, _ = strings.Cut(target, "://")
		if i := strings.IndexAny(path, "/?"); i >= 0 {
			path = path[i:]
		} else {
			path = "/"
		}
	}
	path, query, _ = strings.Cut(path, "?")
	return host, cmp.Or(path, "/"), query, nil
}

func writeJSON(w io.Writer, a explanation) error { return json.NewEncoder(w).Encode(a) }

func writeText(w io.Writer, a explanation) error {
	line := func(label string, values ...string) {
		if text := strings.TrimSpace(strings.Join(values, " ")); text != "" {
			fmt.Fprintf(w, "%-13s %s\n", label, text)
		}
	}
	if a.Error != "" {
		_, err := fmt.Fprintf(w, "%s %s: %s\n", a.Method, a.URL, a.Error)
		return err
	}
	line("client", a.Client)
	line("request", a.Method, a.URL)
	line("operation", a.Operation)
	line("credential", a.Credential)
	line("reason", a.Reason)
	line("remedy", a.Remedy)
	subject := a.Owner
	switch {
	case a.Repository != "":
		subject += "/" + a.Repository
	case a.RepositoryID != 0:
		subject = fmt.Sprintf("repository %d", a.RepositoryID)
	case a.AccountID != 0:
		subject = fmt.Sprintf("account %d", a.AccountID)
	case a.TeamID != 0:
		subject = fmt.Sprintf("team %d", a.TeamID)
	}
	if subject != "" {
		line("owner", subject, "(from: "+a.Source+")")
	}
	if a.Others > 0 {
		line("", fmt.Sprintf("and %d more, whose installation must be the same", a.Others))
	}
	line("App", a.App)
	if a.Installation != 0 {
		line("installation", fmt.Sprint(a.Installation))
	}
	line("how", a.How)
	line("narrowed to", a.Narrowing)
	if a.Rule != 0 {
		line("decided by", fmt.Sprintf("[[rule]] number %d", a.Rule))
	}
	if a.Kept {
		line("cache", "GitHub is always asked; with [cache] an answer that has not changed costs no quota")
	}
	if a.Limited != "" {
		line("limits", "GitHub counts it as "+a.Limited+"; it waits for its turn where there is no room")
	}
	if a.UserOnly {
		line("but", "GitHub opens this operation to users only, and will answer 403")
	}
	_, err := fmt.Fprintln(w)
	return err
}
