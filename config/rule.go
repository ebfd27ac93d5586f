package config

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

const ruleHint = "every rule has a table of its own: [[rule]]"

// ruleReader reads [[rule]] tables.
type ruleReader struct {
	apps    []*auth.App
	hosts   map[string]github.Instance // served host → its instance
	clients *policy.Set
}

func newRuleReader(apps []*auth.App) *ruleReader {
	r := &ruleReader{apps: apps, hosts: map[string]github.Instance{}}
	for _, app := range apps {
		for _, host := range app.Instance.Hosts() {
			r.hosts[host.Name] = host.Instance
		}
	}
	return r
}

// readRules reads the rules and checks them as a whole. Rules with faults are
// among the results.
func (r *ruleReader) readRules(root *table) []rules.Rule {
	var set rules.Set
	tables := root.tables("rule", ruleHint)
	for _, t := range tables {
		set.Rules = append(set.Rules, r.read(t))
	}
	for _, fault := range set.Check(rules.KnownOperation) {
		if t := tables[fault.Rule-1]; fault.Operation != "" {
			t.fault("operations", withHint(operationHint(fault.Operation), "%s", fault.Problem))
		} else {
			t.warn("", withHint("rules are tried in the order of the file", "the rule never decides anything: %s", fault.Problem))
		}
	}
	return set.Rules
}

// operationHint guesses what an unknown operation was meant to be.
func operationHint(op string) string {
	if similar := closest(op, rules.OperationIDs()); len(similar) > 0 && len(similar) < 6 {
		return "did you mean " + orList(similar) + "?"
	}
	return "GitHub's REST reference and `explain` know them, for example \"issues/create\""
}

// read reads one [[rule]].
func (r *ruleReader) read(t *table) rules.Rule {
	var rule rules.Rule
	rule.Name = readLine(t, "name")
	rule.Hosts = r.readHosts(t)
	rule.Methods = parsed(t, "methods", parseMethod)
	rule.Paths = parsed(t, "paths", rules.ParsePattern)
	rule.Operations, _ = t.words("operations")
	rule.Owners = parsed(t, "owners", rules.ParseOwnerGlob)
	rule.Repositories = parsed(t, "repositories", rules.ParseRepositoryGlob)
	if t.has("owners") && t.has("repositories") {
		t.fault("repositories", withHint(`for all of an owner's repositories write repositories = ["acme/*"]`, "owners is given as well: a rule has one of them"))
	}
	rule.Clients = r.readClients(t)
	rule.Deny = readLine(t, "deny")
	rule.App, _ = t.text("app")
	rule.InstallationID = t.installation("installation")
	rule.Narrow = readNarrowing(t)
	rule.Auth = readAuth(t)
	checkAction(t, rule.Auth)
	r.bindApp(t, &rule)
	return rule
}

// readLine reads text that answers and logs repeat.
func readLine(t *table, key string) string {
	s, _ := t.text(key)
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) || holdsSecret(s) {
		t.fault(key, withHint("clients get to read it", "must be one line of plain text"))
		return ""
	}
	return s
}

// parsed reads an array whose elements are more than strings.
func parsed[T any](t *table, key string, parse func(string) (T, error)) []T {
	words, _ := t.words(key)
	var list []T
	for _, word := range words {
		value, err := parse(word)
		if err != nil {
			hint := listHints[key]
			if h := (hinted{}); errors.As(err, &h) {
				hint = h.hint
			}
			t.fault(key, withHint(hint, "%q: %w", word, err))
			continue
		}
		list = append(list, value)
	}
	return list
}

const (
	operationsHint = `for example "issues/create", "GET /repos/{owner}/{repo}/pulls/**", "credentials" or "admin"`
	refsHint       = `for example "refs/heads/agent/*", "refs/heads/**" or "refs/tags/v*"`
)

var listHints = map[string]string{
	"methods":      `for example ["POST", "PATCH"]; GET includes HEAD`,
	"paths":        `for example "/repos/{owner}/{repo}/issues/**"`,
	"owners":       `for example "acme", "acme-*" or "enterprises/megacorp"`,
	"repositories": `for example "acme/widgets", "acme/*" or "*/docs"`,
	"networks":     `for example "10.1.0.0/16", "2001:db8::/32" or "192.0.2.7"`,
	"allow":        operationsHint,
	"deny":         operationsHint,
	"mutations":    `for example "addComment", "createPullRequest"`,
	"push":         refsHint,
	"deny_push":    refsHint,
	"delete_refs":  refsHint,
}

var method = regexp.MustCompile(`^[A-Z][A-Z-]*$`)

func parseMethod(s string) (string, error) {
	if !method.MatchString(s) {
		return "", errors.New("methods are written in capitals")
	}
	return s, nil
}

// readHosts reads the hosts of a rule, all of which must be served.
func (r *ruleReader) readHosts(t *table) []string {
	words, _ := t.words("hosts")
	var hosts []string
	for _, word := range words {
		name, port := github.SplitHost(word)
		if r.hosts[name] == "" || port != "" {
			t.fault("hosts", withHint("the hosts of the Apps here: "+strings.Join(slices.Sorted(maps.Keys(r.hosts)), ", "), "%q is not served", word))
			continue
		}
		hosts = append(hosts, name)
	}
	return hosts
}

// readClients reads the names of clients, all of which must be defined.
func (r *ruleReader) readClients(t *table) []string {
	names, _ := t.words("clients")
	for _, name := range names {
		if _, ok := r.clients.ByName(name); !ok {
			t.fault("clients", withHint(r.definedClients(), "no client named %q", name))
		}
	}
	return names
}

// definedClients says which clients a rule can name.
func (r *ruleReader) definedClients() string {
	var defined []string
	for _, c := range r.clients.All() {
		defined = append(defined, c.Name)
	}
	if len(defined) == 0 {
		return "no client is defined: leave clients out, the rule is for everybody then"
	}
	slices.Sort(defined)
	return "clients defined here: " + strings.Join(defined, ", ")
}

// readAuth reads auth, and sees to it that there is either that or deny.
func readAuth(t *table) rules.Credential {
	s, ok := t.text("auth")
	switch {
	case t.has("auth") && t.has("deny"):
		t.fault("deny", withHint("keep one of them", "auth is given as well: a rule allows or denies"))
	case !t.has("auth") && !t.has("deny"):
		t.fault("", withHint(`auth = "installation", "jwt", "basic", "none" or "keep"; or deny = "the reason"`, "auth or deny is missing"))
	}
	if !ok || holdsSecret(s) {
		s = "none"
	}
	credential, err := rules.ParseCredential(s)
	if err != nil {
		t.fault("auth", withHint("keep: the client's own Authorization passes; to refuse requests, give deny", "%w", err))
	}
	return credential
}

// checkAction reports keys that say more about a credential than the rule
// gives.
func checkAction(t *table, credential rules.Credential) {
	if !t.has("auth") && !t.has("deny") {
		return // reported
	}
	auth := []rules.Credential{rules.Installation, rules.JWT, rules.ClientSecret}
	for _, key := range []string{"app", "installation", "token"} {
		if key != "app" {
			auth = auth[:1]
		}
		if t.has(key) && (!t.has("auth") || !slices.Contains(auth, credential)) {
			var names []string
			for _, c := range auth {
				names = append(names, c.String())
			}
			t.fault(key, withHint("leave it out", "goes with auth = %s only", orList(names)))
		}
	}
}

// bindApp finds the App that a rule means and limits the rule to its hosts:
// its credential must not go to another instance.
func (r *ruleReader) bindApp(t *table, rule *rules.Rule) {
	app := r.app(t, rule)
	if app == nil {
		return
	}
	rule.App = app.Name
	if rule.Auth == rules.ClientSecret && (app.ClientID == "" || app.ClientSecret == "") {
		t.fault("app", withHint("give the App its client_id and client_secret_file", "[%s] has no client secret", join("app", app.Name)))
	}
	for _, host := range rule.Hosts {
		if r.hosts[host] != app.Instance {
			t.fault("app", withHint("leave "+host+" out, or take another App", "[%s] is on %s, which %s is no part of", join("app", app.Name), app.Instance, host))
		}
	}
	if !t.has("hosts") {
		for _, host := range app.Instance.Hosts() {
			rule.Hosts = append(rule.Hosts, host.Name)
		}
	}
}

// app returns the App that a rule means, nil if it leaves that open.
func (r *ruleReader) app(t *table, rule *rules.Rule) *auth.App {
	var candidates []*auth.App // for the installation
	var names []string
	for _, app := range r.apps {
		if app.Name == rule.App {
			return app
		}
		names = append(names, app.Name)
		onHost := func(host string) bool { return r.hosts[host] == app.Instance }
		if len(rule.Hosts) == 0 || slices.ContainsFunc(rule.Hosts, onHost) {
			candidates = append(candidates, app)
		}
	}
	slices.Sort(names)
	hint := "apps defined here: " + strings.Join(names, ", ")
	switch {
	case rule.App != "" && !holdsSecret(rule.App):
		t.fault("app", withHint(hint, "no app named %q", rule.App))
	case rule.App != "":
		t.fault("app", withHint(hint, "no app of that name"))
	case rule.InstallationID != 0 && len(candidates) == 1:
		return candidates[0]
	case rule.InstallationID != 0 && len(candidates) > 1 && !t.has("app"):
		t.fault("installation", withHint(hint, "app is missing: there are several, and an installation is of one App"))
	}
	return nil
}

// readNarrowing reads token. An empty one is a fault, and so is any empty part:
// GitHub takes that for no limit at all.
func readNarrowing(rule *table) *github.Narrowing {
	t := rule.table("token", `token = { repositories = ["widgets"], permissions = { contents = "read" } }`)
	before := len(t.doc.faults)
	names, ids, permissions := readRepositoryNames(t), readRepositoryIDs(t), readPermissions(t)
	switch {
	case t.has("repositories") && t.has("repository_ids"):
		t.fault("repository_ids", withHint("keep one of them", "repositories is given as well"))
	case len(names) > github.MaxNarrowed:
		t.fault("repositories", tooMany(len(names)))
	case len(ids) > github.MaxNarrowed:
		t.fault("repository_ids", tooMany(len(ids)))
	case t.values != nil && len(t.values) == 0:
		t.fault("", withHint("give repositories, repository_ids or permissions, or leave token out", "is empty: the token would not be limited"))
	}
	if len(names)+len(ids)+len(permissions) == 0 || len(t.doc.faults) > before {
		return nil
	}
	narrow, err := github.NewNarrowing(names, ids, permissions)
	if err != nil {
		t.fault("", err)
	}
	return narrow
}

func tooMany(n int) error {
	return withHint("have an App that is installed on these only", "GitHub limits a token to %d repositories at most, not %d", github.MaxNarrowed, n)
}

func readRepositoryNames(t *table) []string {
	names, _ := t.words("repositories")
	for _, name := range names {
		if !github.IsRepositoryName(name) {
			t.fault("repositories", withHint("leave the owner out (it is that of the installation), and give every name in full", "%q is not the bare name of a repository", name))
		}
	}
	return names
}

func readRepositoryIDs(t *table) []int64 {
	const hint = "repository_ids = [1296269]"
	list, ok := read[[]any](t, "repository_ids", "an array of integers", hint)
	if ok && len(list) == 0 {
		t.fault("repository_ids", withHint("leave the key out if it is not needed", "must not be empty"))
	}
	var ids []int64
	for i, v := range list {
		id, ok := v.(int64)
		if !ok || id <= 0 {
			t.fault("repository_ids", withHint(hint, "element %d must be a positive integer", i+1))
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

func readPermissions(token *table) map[string]string {
	const hint = `permissions = { contents = "read", pull_requests = "write" }`
	t := token.table("permissions", hint)
	if t.values != nil && len(t.values) == 0 {
		t.fault("", withHint(hint, "is empty: the token would not be limited"))
	}
	var permissions map[string]string
	for _, name := range t.freeNames() {
		level, ok := t.text(name)
		checkPermission(t, name, level)
		if ok && github.LevelRank(level) < 0 {
			t.fault(name, withHint("a permission that is not listed is not given", `must be "read", "write" or "admin"`))
		}
		if permissions == nil {
			permissions = map[string]string{}
		}
		permissions[name] = cmp.Or(level, "read")
	}
	return permissions
}

// checkPermission reports what GitHub has no permission for. It adds some now and
// then, so a name that is like no other may be one of these.
func checkPermission(t *table, name, level string) {
	levels := policy.PermissionLevels(name)
	known := github.LevelRank(level) >= 0
	switch near := closest(name, policy.PermissionNames()); {
	case !github.IsPermissionName(name):
		t.fault(name, withHint("as in GitHub's REST reference, for example pull_requests", "not the name of a permission"))
	case levels == nil && near != nil:
		t.fault(name, withHint("did you mean "+orList(near)+"?", "GitHub Apps have no such permission"))
	case levels == nil:
		t.warn(name, withHint("GitHub's REST reference has the names, under \"Permissions required for GitHub Apps\"", "no permission of GitHub Apps that is known"))
	case known && !slices.Contains(levels, level):
		t.fault(name, withHint("it can be "+orList(levels), "%s has no level %q", name, level))
	}
}
