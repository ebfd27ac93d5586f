package config

import (
	"errors"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"ghapp-proxy/oidc"
	"ghapp-proxy/policy"
)

const clientHint = "every client has a name of your choice: [client.NAME]"

var clientName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// CheckClientName reports what is not a name for a client: it is the user name
// in the URL of the proxy.
func CheckClientName(s string) error {
	if holdsSecret(s) || !clientName.MatchString(s) {
		return withHint("up to 64 letters, digits, - and _ are allowed", "not a name for a client")
	}
	return nil
}

// clientReader reads [client.NAME] tables.
type clientReader struct {
	*ruleReader
	listen       string // of the proxy
	defaultOwner string // of everybody
	issuers      []*oidc.Issuer
	transparent  string // the client that the transparent listener is for, "" for none

	tokens []*oidc.Client // by which the clients are told
}

// readClients reads the clients, in the order of the file. Clients with faults
// are among the results; nil is none at all.
func readClients(t *table, r *clientReader) *policy.Set {
	var clients []*policy.Client
	tables := map[string]*table{}
	for _, name := range t.freeNames() {
		if err := CheckClientName(name); err != nil {
			t.fault(name, err)
		}
		sub := t.table(name, clientHint)
		if sub.values == nil {
			continue // reported
		}
		tables[name] = sub
		clients = append(clients, r.read(sub, name))
	}
	if clients == nil {
		return nil
	}
	set, faults := policy.NewSet(clients)
	for _, f := range faults {
		tables[f.Client].fault(f.Key, withHint(f.Hint, "%s", f.Problem))
	}
	return set
}

// read reads one [client.NAME].
func (r *clientReader) read(t *table, name string) *policy.Client {
	c := &policy.Client{Name: name}
	tokens := r.readTokens(t, name)
	r.readIdentity(t, c)
	r.readSubjects(t, c, tokens)
	r.readOperations(t, c)
	readRefs(t, c, tokens)
	checkFromClaims(t, c, tokens)
	c.Limits = readLimits(t)
	return c
}

// readIdentity reads who is the client.
func (r *clientReader) readIdentity(t *table, c *policy.Client) {
	if s, ok := t.text("secret_hash"); ok {
		hash, err := policy.ParseSecretHash(s)
		if err != nil {
			t.fault("secret_hash", withHint("`ghapp-proxy client add NAME` makes a secret and prints its hash; the secret itself does not belong here", "%w", err))
		}
		c.Secret = hash
	}
	c.Networks = parsed(t, "networks", parseNetwork)
	if s, ok := t.text("listen"); ok {
		c.Listen = r.readListen(t, s)
	}
	led := c.Name == r.transparent
	c.UIDs = readUIDs(t, led)
	c.Certificate = readClientCertificate(t)
	grants := t.boolean("grants", true)
	c.NoGrants = !grants
	if onlyGrants := grants && t.has("grants"); !onlyGrants && !led && !t.has("secret_hash") && !t.has("networks") && !t.has("listen") && !t.has("certificate") && !t.has("oidc") {
		t.warn("", withHint("give it secret_hash, networks, listen, certificate or oidc, or say grants = true if grants of it are all that there is", "nobody can be this client"))
	}
}

// readUIDs reads the users who may connect to the client's own listener; led is for the transparent one.
func readUIDs(t *table, led bool) (uids []uint32) {
	const hint = "uids = [1001]"
	list, ok := read[[]any](t, "uids", "an array of integers", hint)
	if ok && len(list) == 0 {
		t.fault("uids", withHint("leave the key out for the user that runs the proxy", "must not be empty"))
	}
	for i, v := range list {
		n, ok := v.(int64)
		if !ok || n < 0 || n > math.MaxUint32 {
			t.fault("uids", withHint(hint, "element %d must be the number of a user", i+1))
			continue
		}
		uids = append(uids, uint32(n))
	}
	if t.has("uids") && !t.has("listen") && !led {
		t.fault("uids", withHint("only of a listener of the client's own it is known who connects", "listen is missing"))
	}
	return uids
}

// parseNetwork reads a network in CIDR notation, or one address.
func parseNetwork(s string) (netip.Prefix, error) {
	prefix, err := policy.ParseNetwork(s)
	if errors.Is(err, policy.ErrNetworkBits) {
		return prefix, withHint("write the network's own address", "has more bits than the network, which is %s", prefix.Masked())
	}
	return prefix, err
}

// readListen reads a listener of the client's own.
func (r *clientReader) readListen(t *table, s string) string {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || holdsSecret(path) {
			t.fault("listen", withHint(`for example "unix:/run/ghapp-proxy/agent.sock"`, "the path is missing"))
		}
		return "unix:" + t.doc.resolve(path)
	}
	if err := checkListen(s); err != nil {
		t.fault("listen", err)
	} else if policy.SameListener(r.listen, s) {
		t.fault("listen", withHint("give the client a port of its own", "the proxy itself listens there"))
	} else if !IsLoopback(s) && !t.has("networks") {
		t.fault("listen", withHint("list the networks that it is for", "is not a loopback address, so that everybody who reaches it would be the client"))
	}
	return s
}

// readSubjects reads whom the client may act for, and as what.
func (r *clientReader) readSubjects(t *table, c *policy.Client, tokens *oidc.Client) {
	c.Owners = limitOwners(t, tokens)
	c.Repositories = limitRepositories(t, tokens)
	if t.has("owners") && t.has("repositories") {
		t.fault("repositories", withHint(`for all of an owner's repositories write repositories = ["acme/*"]`, "owners is given as well: a client has one of them"))
	}
	c.Permissions = readPermissions(t)
	c.ReadOnly = t.boolean("read_only", false)
	c.JWT = t.boolean("jwt", false)
	c.Apps = r.readApps(t)
	c.Hosts = r.readHosts(t)
	c.DefaultOwner = readDefaultOwner(t)
	switch {
	case c.DefaultOwner == "" && !t.has("default_owner"):
		if c.DefaultOwner = c.OnlyOwner(); c.Grants(r.defaultOwner) {
			c.DefaultOwner = r.defaultOwner
		}
	case c.DefaultOwner != "" && !c.Grants(c.DefaultOwner):
		t.fault("default_owner", withHint("add it there, or choose one that is", "not among the client's owners or repositories"))
	}
}

// readApps reads the names of Apps, all of which must be defined.
func (r *clientReader) readApps(t *table) []string {
	names, _ := t.words("apps")
	var defined []string
	for _, app := range r.apps {
		defined = append(defined, app.Name)
	}
	slices.Sort(defined)
	for _, name := range names {
		if !slices.Contains(defined, name) {
			t.fault("apps", withHint("apps defined here: "+strings.Join(defined, ", "), "no app named %q", name))
		}
	}
	return names
}

// readOperations reads what the client may do.
func (r *clientReader) readOperations(t *table, c *policy.Client) {
	c.Allow = parsed(t, "allow", parseOperation)
	c.Deny = parsed(t, "deny", parseOperation)
	if s, ok := t.text("graphql"); ok {
		access, err := policy.ParseGraphQLAccess(s)
		if err != nil {
			t.fault("graphql", err)
		}
		c.GraphQL = access
	}
	c.Mutations = parsed(t, "mutations", func(s string) (string, error) { return parseMutation(t, s) })
	switch {
	case c.ReadOnly && c.GraphQL == policy.GraphQLWrite:
		t.fault("graphql", withHint("leave one of them out", "read_only is given as well"))
	case c.Mutations != nil && (c.ReadOnly || c.GraphQL == policy.GraphQLRead || c.GraphQL == policy.GraphQLDeny):
		t.fault("mutations", withHint("leave mutations out", "the client may run no mutation at all"))
	}
}

// parseMutation reads the name of a mutation. GitHub adds some now and then, so
// one that is like no other may be one of these.
func parseMutation(t *table, s string) (string, error) {
	name, err := policy.ParseMutation(s)
	if err != nil || policy.KnownMutation(name) {
		return name, err
	}
	if near := closest(name, policy.MutationNames()); near != nil {
		return "", withHint("did you mean "+orList(near)+"?", "GitHub has no such mutation")
	}
	t.warn("mutations", withHint("docs.github.com has the names, under \"Mutations\" of the GraphQL reference", "%q: no mutation of GitHub's that is known", name))
	return name, nil
}

func parseOperation(s string) (policy.Operation, error) {
	op, err := policy.ParseOperation(s)
	if errors.Is(err, policy.ErrUnknownOperation) {
		return op, withHint(operationHint(s), "%w", err)
	}
	return op, err
}

// readRefs reads which refs the client may move.
func readRefs(t *table, c *policy.Client, tokens *oidc.Client) {
	c.Push = limitPush(t, tokens)
	c.DenyPush = parsed(t, "deny_push", policy.ParseRefPattern)
	c.DeleteRefs = limitDeletes(t, tokens)
	for _, key := range []string{"push", "delete_refs"} {
		if c.ReadOnly && t.has(key) {
			t.fault(key, withHint("leave one of them out", "read_only is given as well"))
		}
	}
}
