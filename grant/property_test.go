package grant

import (
	"flag"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

var chains = flag.Int("chains", 3000, "random chains of TestNeverWider")

var (
	someGlobs  = []string{"acme/widgets", "acme/*", "*/widgets", "acme/w*", "other/*", "*/*", "other/widgets", "ACME/Rockets"}
	someOwners = []string{"acme", "oth*", "*", "other", "Acme"}
	someRefs   = []string{"refs/heads/**", "refs/heads/task/**", "refs/heads/task/*", "refs/tags/v*", "refs/heads/main", "refs/**"}
	someOps    = []string{"repos/get", "issues/create", "git/update-ref", "GET /repos/{owner}/{repo}"}
	somePerms  = []string{"contents", "issues", "metadata", "workflows"}
	levels     = []string{"read", "write", "admin"}
)

func pick(rnd *rand.Rand, from []string) []string {
	if rnd.IntN(2) == 0 {
		return nil
	}
	list := []string{}
	for _, s := range from {
		if rnd.IntN(3) == 0 {
			list = append(list, s)
		}
	}
	return list
}

func randomCaveats(rnd *rand.Rand) (c Caveats) {
	c.Repositories = pick(rnd, someGlobs)
	if rnd.IntN(3) == 0 {
		c.Owners = pick(rnd, someOwners)
	}
	c.Push, c.DeleteRefs = pick(rnd, someRefs), pick(rnd, someRefs)
	if rnd.IntN(3) == 0 {
		c.Operations = pick(rnd, someOps)
	}
	c.ReadOnly = rnd.IntN(5) == 0
	if rnd.IntN(2) == 0 {
		c.Permissions = map[string]string{}
		for _, name := range somePerms {
			if rnd.IntN(2) == 0 {
				c.Permissions[name] = levels[rnd.IntN(3)]
			}
		}
	}
	if rnd.IntN(2) == 0 {
		c.Expires = in(time.Duration(rnd.IntN(100)) * time.Minute)
	}
	return c
}

// plain says what one link allows, in the plainest words: no code of policy's.
type plain struct{ *Caveats }

func (p plain) repository(owner, repo string) bool {
	match := func(pattern, name string) bool {
		ok, _ := path.Match(strings.ToLower(pattern), strings.ToLower(name))
		return ok
	}
	ok := p.Repositories == nil || slices.ContainsFunc(p.Repositories, func(g string) bool { return match(g, owner+"/"+repo) })
	return ok && (p.Owners == nil || slices.ContainsFunc(p.Owners, func(g string) bool { return match(g, owner) }))
}

func (p plain) ref(ref string, deletes bool) bool {
	match := func(pattern string) bool {
		if strings.HasPrefix(ref, "refs/tags/") && !strings.HasPrefix(pattern, "refs/tags/") {
			return false // tags by patterns for tags alone
		}
		if before, ok := strings.CutSuffix(pattern, "**"); ok {
			return strings.HasPrefix(ref, before)
		}
		ok, _ := path.Match(pattern, ref)
		return ok
	}
	switch {
	case p.Push == nil && p.DeleteRefs == nil:
		return true
	case deletes:
		return slices.ContainsFunc(p.DeleteRefs, match)
	}
	return p.Push == nil || slices.ContainsFunc(p.Push, match)
}

// permission is the rank of the highest level, -1 for none, 9 for any.
func (p plain) permission(name string) int {
	if p.Permissions == nil {
		return 9
	}
	return github.LevelRank(p.Permissions[name])
}

// TestNeverWider: what a chain allows, each link of it allows, and what the chain
// before the last link allows and the last link allows, the chain does.
// -chains 1000000 is the whole of it.
func TestNeverWider(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, uint64(*chains)))
	for range *chains {
		base := &policy.Client{Name: "agent"}
		first := randomCaveats(rnd)
		if rnd.IntN(2) == 0 { // the client has limits of its own
			limits, err := first.Limits()
			if err != nil {
				t.Fatal(err)
			}
			limits.Name, base = "agent", &limits
		} else {
			first = Caveats{}
		}
		links := []plain{{&first}}
		g := &Grant{Client: "agent"}
		for range 1 + rnd.IntN(4) {
			c := randomCaveats(rnd)
			links, g.Links = append(links, plain{&c}), append(g.Links, c)
		}
		g.Links[0].Expires = in(time.Hour)
		links[1].Caveats = &g.Links[0]
		held, err := hold(g, make([]ID, len(g.Links)), base)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, held, links)
		if t.Failed() {
			for _, l := range links {
				t.Logf("%s", l.text())
			}
			return
		}
	}
}

func all(links []plain, allow func(plain) bool) bool {
	return !slices.ContainsFunc(links, func(l plain) bool { return !allow(l) })
}

// compare compares what is held with what each link allows.
func compare(t *testing.T, held *Held, links []plain) {
	scope := held.Client.Scope()
	for _, name := range []string{"acme/widgets", "acme/rockets", "other/widgets", "else/where"} {
		owner, repo, _ := strings.Cut(name, "/")
		want := all(links, func(l plain) bool { return l.repository(owner, repo) })
		if got := inScope(scope, owner, repo); got != want {
			t.Errorf("a token for %s: %v, want %v", name, got, want)
		}
		route := rules.Route{Operation: "repos/get", Read: true, Credential: rules.Installation, Subject: github.Account{Login: owner, Repo: repo}}
		req := rules.Request{Method: "GET", Host: github.GitHubCom.Hosts()[0], Path: "/repos/" + name}
		ops := all(links, func(l plain) bool {
			return l.Operations == nil || slices.Contains(l.Operations, "repos/get") || slices.Contains(l.Operations, "GET /repos/{owner}/{repo}")
		})
		if got := held.Client.Decide(req, &route, nil) == nil; got != (want && ops) {
			t.Errorf("GET %s: %v, want %v", name, got, want && ops)
		}
		req.Method, route.Read, route.Operation = "POST", false, "issues/create"
		mayWrite := all(links, func(l plain) bool {
			return !l.ReadOnly && (l.Operations == nil || slices.Contains(l.Operations, "issues/create"))
		})
		if got := held.Client.Decide(req, &route, nil) == nil; got != (want && mayWrite) {
			t.Errorf("POST %s: %v, want %v", name, got, want && mayWrite)
		}
	}
	for _, ref := range []string{"refs/heads/main", "refs/heads/task/1", "refs/heads/task/1/2", "refs/tags/v1", "refs/notes/x"} {
		for _, deletes := range []bool{false, true} {
			update := policy.RefUpdate{Ref: ref, New: "1"}
			if deletes {
				update.New = ""
			}
			want := all(links, func(l plain) bool { return l.ref(ref, deletes) })
			if got := held.Client.DecideRef(update) == nil; got != want {
				t.Errorf("%s, deletes %v: %v, want %v", ref, deletes, got, want)
			}
		}
	}
	for _, name := range somePerms {
		rank := 9
		if scope != nil && scope.Permissions != nil {
			rank = github.LevelRank(scope.Permissions[name])
		}
		for _, l := range links {
			if most := l.permission(name); rank > most {
				t.Errorf("%s: %d, wider than %d", name, rank, most)
			}
		}
	}
	for _, l := range links[1:] {
		if l.Expires != 0 && held.Expires.After(time.Unix(l.Expires, 0)) {
			t.Errorf("good until %v, longer than a link", held.Expires)
		}
		if l.ReadOnly && !scope.ReadOnly {
			t.Error("a token may write")
		}
	}
}

func inScope(scope *policy.Scope, owner, repo string) bool {
	switch {
	case scope == nil:
		return true
	case scope.Repository != nil:
		in := scope.Repository(owner, repo)
		if scope.Names != nil && in != slices.Contains(scope.Names, strings.ToLower(owner+"/"+repo)) {
			return !in // which is wrong
		}
		return in && (scope.Account == nil || scope.Account(owner, false))
	case scope.Account != nil:
		return scope.Account(owner, false)
	}
	return true
}
