package config

import (
	"ghapp-proxy/auth"
	"ghapp-proxy/policy"
)

// readEgress reads the [egress] table; nil if there is none.
func readEgress(root *table, apps []*auth.App) *policy.Egress {
	given := root.has("egress")
	t := root.table("egress", "below a line [egress] there can be default, allow, allow_private and deny")
	e := &policy.Egress{Allow: readPatterns(t, "allow"), AllowPrivate: readNames(t, "allow_private"), Deny: readPatterns(t, "deny")}
	if s, ok := t.text("default"); ok {
		e.DenyUnlisted = s == "deny"
		if s != "deny" && s != "tunnel" {
			t.fault("default", withHint(`"deny" refuses what allow does not list, "tunnel" lets it pass`, `must be "tunnel" or "deny"`))
		}
	}
	warnServed(t, e.Deny, apps)
	if !given {
		return nil
	}
	return e
}

func readPatterns(t *table, key string) []policy.HostPattern {
	const hint = `for example "packages.example.org", "*.example.com", "example.com:8443" or "10.0.0.0/8"`
	words, _ := t.words(key)
	var list []policy.HostPattern
	for i, word := range words {
		p, err := policy.ParseHostPattern(word)
		if err != nil {
			t.fault(key, withHint(hint, "element %d: %w", i+1, err))
			continue
		}
		list = append(list, p)
	}
	return list
}

// readNames reads patterns of which each must be one name: whoever has a name
// below a domain of others could have it lead to any private address.
func readNames(t *table, key string) []policy.HostPattern {
	list := readPatterns(t, key)
	for _, p := range list {
		if !p.IsName() {
			t.fault(key, withHint("a name in full, with its port unless that is 443 or 80: \"wiki.corp.example.com:8443\"; addresses go into allow", "%q is not the name of one host", p))
		}
	}
	return list
}

// warnServed warns of denials that have no effect: served hosts are reached
// all the same.
func warnServed(t *table, deny []policy.HostPattern, apps []*auth.App) {
	for _, p := range deny {
		for _, app := range apps {
			for _, host := range app.Instance.Hosts() {
				if p.MatchHost(policy.Destination{Host: host.Name, Port: 443}) {
					t.warn("deny", withHint("deny it with a [[rule]]", "%q does not keep anybody from %s: that is served, not tunnelled", p, host.Name))
					return
				}
			}
		}
	}
}
