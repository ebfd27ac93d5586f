package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

const (
	issuerHint    = "each issuer of tokens is a [[issuer]] with a name, a url and an audience"
	defaultLeeway = 30 * time.Second
	// defaultTokenLifetime is how long a grant is good that a token was exchanged for.
	defaultTokenLifetime = time.Hour
)

// readIssuers reads [[issuer]].
func readIssuers(root *table) (list []*oidc.Issuer) {
	for _, t := range root.tables("issuer", issuerHint) {
		i := readIssuer(t)
		for _, other := range list {
			if other.Name == i.Name && i.Name != "" {
				t.fault("name", withHint("give each a name of its own", "another [[issuer]] has it"))
			}
			if i.URL != "" && other.URL == i.URL || i.TrustDomain != "" && other.TrustDomain == i.TrustDomain {
				t.fault("", withHint("put their audiences into one: audience = [\"…\", \"…\"]", "[[issuer]] %s is the same one", other.Name))
			}
		}
		list = append(list, i)
	}
	return list
}

func readIssuer(t *table) *oidc.Issuer {
	i := &oidc.Issuer{Leeway: defaultLeeway}
	i.Name, _ = t.text("name")
	if !t.has("name") {
		t.fault("", withHint(issuerHint, "name is missing"))
	} else if holdsSecret(i.Name) || !clientName.MatchString(i.Name) {
		t.fault("name", withHint("up to 64 letters, digits, - and _ are allowed", "not a name for an issuer"))
	}
	readIssuerIdentity(t, i)
	readIssuerKeys(t, i)
	i.Audiences = oneOrMore(t, "audience")
	if !t.has("audience") {
		t.fault("", withHint(`name whom its tokens are for, as audience = "ghapp-proxy", and ask the issuer for tokens with that: those that are for others would do otherwise`, "audience is missing"))
	}
	i.Algorithms, _ = t.words("algorithms")
	for _, name := range i.Algorithms {
		if err := oidc.CheckAlgorithm(name); err != nil {
			t.fault("algorithms", err)
		}
	}
	if t.has("leeway") {
		if i.Leeway = t.duration("leeway"); i.Leeway > oidc.MaxLeeway {
			t.fault("leeway", fmt.Errorf("must be %v at most", oidc.MaxLeeway))
		}
	}
	if s, ok := t.text("replay"); ok {
		if i.Once = s == "refuse"; !i.Once {
			t.fault("replay", withHint(`leave the key out to take a token until it ends`, `must be "refuse"`))
		}
	}
	return i
}

// readIssuerIdentity reads who the issuer is.
func readIssuerIdentity(t *table, i *oidc.Issuer) {
	i.URL, _ = t.text("url")
	i.TrustDomain, _ = t.text("trust_domain")
	switch {
	case t.has("url") == t.has("trust_domain"):
		t.fault("", withHint("url is the iss of its tokens; trust_domain is for SPIFFE, whose tokens need none", "one of url and trust_domain must be given"))
	case i.URL != "":
		if err := oidc.CheckURL(i.URL); err != nil {
			t.fault("url", err)
		}
	case i.TrustDomain != "":
		if err := oidc.CheckTrustDomain(i.TrustDomain); err != nil {
			t.fault("trust_domain", err)
		}
	}
}

// readIssuerKeys reads where its keys are.
func readIssuerKeys(t *table, i *oidc.Issuer) {
	if i.JWKSURL, _ = t.text("jwks_url"); i.JWKSURL != "" {
		if err := oidc.CheckURL(i.JWKSURL); err != nil {
			t.fault("jwks_url", err)
		}
	}
	if path, ok := t.file("jwks_file"); ok {
		text, err := t.doc.reading.readFile(path, nil)
		if err != nil {
			t.fault("jwks_file", pathError(path, "the issuer's keys", err))
		} else if err := oidc.CheckKeys(text, i); err != nil {
			t.fault("jwks_file", fmt.Errorf("%s: %w", path, err))
		}
		t.warnPlace("jwks_file", path) // whose tokens are good
		i.JWKS = append([]byte{}, text...)
	}
	if path, ok := t.file("ca_file"); ok {
		roots, err := readRoots(t.doc.reading, path)
		if err != nil {
			t.fault("ca_file", err)
		}
		t.warnPlace("ca_file", path)
		i.RootsPEM = roots
	}
	switch {
	case t.has("jwks_url") && t.has("jwks_file"):
		t.fault("jwks_file", withHint("keep one of them", "jwks_url is given as well"))
	case t.has("trust_domain") && !t.has("jwks_url") && !t.has("jwks_file"):
		t.fault("trust_domain", withHint("give the trust domain's bundle: jwks_url or jwks_file", "nothing says where its keys are"))
	case t.has("ca_file") && t.has("jwks_file"):
		t.fault("ca_file", withHint("leave it out", "keys of a file are fetched from nowhere"))
	}
}

// oneOrMore reads a string or an array of strings.
func oneOrMore(t *table, key string) []string {
	if v, ok := t.lookup(key); ok && typeName(v) == "an array" {
		words, _ := t.words(key)
		return words
	}
	s, ok := t.text(key)
	if !ok {
		return nil
	}
	return []string{s}
}

const oidcHint = `for example oidc = { issuer = "github-actions", claims = { repository = "acme/*" } }`

// readTokens reads which tokens are the client; nil for none.
func (r *clientReader) readTokens(t *table, name string) *oidc.Client {
	if !t.has("oidc") {
		return nil
	}
	sub := t.table("oidc", oidcHint)
	c := &oidc.Client{Name: name, Lifetime: defaultTokenLifetime}
	c.Issuer, _ = sub.text("issuer")
	i := slices.IndexFunc(r.issuers, func(i *oidc.Issuer) bool { return i.Name == c.Issuer })
	if sub.values != nil && i < 0 {
		var names []string
		for _, issuer := range r.issuers {
			names = append(names, issuer.Name)
		}
		sub.fault("issuer", withHint("issuers defined here: "+strings.Join(names, ", "), "no [[issuer]] named %q", c.Issuer))
	}
	if sub.has("lifetime") {
		if c.Lifetime = sub.duration("lifetime"); c.Lifetime > grant.MaxLifetime {
			sub.fault("lifetime", fmt.Errorf("must be %v at most", grant.MaxLifetime))
		}
	}
	c.Claims = readClaims(sub.table("claims", oidcHint), "")
	if sub.values != nil && len(c.Claims) == 0 {
		sub.fault("claims", withHint(oidcHint, "whoever gets a token of the issuer would be the client"))
	}
	if i >= 0 {
		warnNames(sub, r.issuers[i], c.Claims)
	}
	r.tokens = append(r.tokens, c)
	return c
}

// readClaims reads what the claims must be, nested ones too.
func readClaims(t *table, above string) (list []oidc.Claim) {
	for _, name := range t.freeNames() {
		path := strings.TrimPrefix(above+"."+name, ".")
		v, _ := t.lookup(name)
		if _, nested := v.(map[string]any); nested {
			list = append(list, readClaims(t.table(name, ""), path)...)
			continue
		}
		if err := oidc.CheckPath(path); err != nil {
			t.fault(name, err)
		}
		c := oidc.Claim{Path: path}
		for _, text := range claimTexts(v) {
			p, err := oidc.ParsePattern(text)
			if err != nil {
				t.fault(name, err)
			}
			if strings.Trim(text, "*") == "" {
				t.fault(name, withHint("say what it must be, or leave it out", "%q is whatever anybody likes", text))
			}
			c.Any = append(c.Any, p)
		}
		if len(c.Any) == 0 {
			t.fault(name, withHint(`for example "refs/heads/main" or ["push", "workflow_dispatch"]`, "must be a string, a number, true, false, or an array of these"))
		}
		list = append(list, c)
	}
	return list
}

// claimTexts are the patterns of a claim; nil if it is something else.
func claimTexts(v any) (texts []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, v := range list {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case int64:
			texts = append(texts, strconv.FormatInt(v, 10))
		case bool:
			texts = append(texts, strconv.FormatBool(v))
		default:
			return nil
		}
	}
	return texts
}

// warnNames warns where an issuer's tokens have numbers that stay, and only names are
// looked at, which somebody else can have later.
func warnNames(t *table, i *oidc.Issuer, claims []oidc.Claim) {
	u, err := url.Parse(i.URL)
	if err != nil || u.Hostname() != "token.actions.githubusercontent.com" {
		return
	}
	has := func(paths ...string) bool {
		return slices.ContainsFunc(claims, func(c oidc.Claim) bool { return slices.Contains(paths, c.Path) })
	}
	if !has("repository_id", "repository_owner_id", "enterprise_id") {
		t.warn("claims", withHint("add repository_owner_id or repository_id: `gh api users/OWNER --jq .id` prints the first",
			"a name is somebody else's once its owner has given it up"))
	}
}

// limit reads a list of limits in which claims may stand, and what they come to at most.
func limit[T any](t *table, key string, tokens *oidc.Client, of func(*oidc.Limits) *[]string, parse func(string) (T, error)) []T {
	words, _ := read[[]any](t, key, "an array of strings", "")
	if !slices.ContainsFunc(words, func(v any) bool { s, _ := v.(string); return oidc.HasClaim(s) }) {
		return parsed(t, key, parse)
	}
	elements, _ := t.words(key)
	if tokens == nil {
		t.fault(key, withHint("claims are those of a token: give the client oidc", "{ and } stand around the name of a claim"))
		return nil
	}
	widest, err := oidc.Widest(key, elements)
	if err != nil {
		t.fault(key, withHint(`for example "{repository}", or "refs/heads/{ref_name}"`, "%w", err))
		return nil
	}
	*of(&tokens.Limits) = elements
	var list []T
	for _, text := range widest {
		value, err := parse(text)
		if err != nil {
			t.fault(key, withHint(listHints[key], "%q: %w", text, err))
		}
		list = append(list, value)
	}
	return list
}

// limitOwners and the others read the lists that can have claims in them.
func limitOwners(t *table, tokens *oidc.Client) []rules.Glob {
	return limit(t, "owners", tokens, func(l *oidc.Limits) *[]string { return &l.Owners }, rules.ParseOwnerGlob)
}

func limitRepositories(t *table, tokens *oidc.Client) []rules.Glob {
	return limit(t, "repositories", tokens, func(l *oidc.Limits) *[]string { return &l.Repositories }, rules.ParseRepositoryGlob)
}

func limitPush(t *table, tokens *oidc.Client) []policy.RefPattern {
	return limit(t, "push", tokens, func(l *oidc.Limits) *[]string { return &l.Push }, policy.ParseRefPattern)
}

func limitDeletes(t *table, tokens *oidc.Client) []policy.RefPattern {
	return limit(t, "delete_refs", tokens, func(l *oidc.Limits) *[]string { return &l.DeleteRefs }, policy.ParseRefPattern)
}

// checkFromClaims reports what makes somebody a client without the token that its limits
// come from.
func checkFromClaims(t *table, c *policy.Client, tokens *oidc.Client) {
	if tokens == nil {
		return
	}
	if c.FromClaims = tokens.Limits.Keys(); c.FromClaims == nil {
		return
	}
	for _, key := range []string{"secret_hash", "networks", "listen", "certificate"} {
		if t.has(key) {
			t.fault(key, withHint("make two clients", "whoever is the client by this has no token, from whose claims its limits come"))
		}
	}
}
