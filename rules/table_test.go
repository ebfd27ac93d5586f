package rules_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/rules"

	"github.com/google/go-cmp/cmp"
)

func TestTableLists(t *testing.T) {
	got := map[string]map[string]bool{}
	for _, kind := range []string{"jwt", "basic", "none", "hands out", "revoke"} {
		got[kind] = map[string]bool{}
	}
	for _, op := range rules.Operations() {
		if op.Credential != rules.Installation {
			got[op.Credential.String()][op.ID] = true
		}
		if op.HandsOut {
			got["hands out"][op.ID] = true
		}
		if op.Revoke {
			got["revoke"][op.ID] = true
		}
	}
	handsOut := maps.Clone(handsOutIDs)
	handsOut["enterprise-admin/get-settings"] = true // of older Enterprise Servers
	for kind, want := range map[string]map[string]bool{
		"jwt": jwtIDs, "basic": basicIDs, "none": noneIDs, "hands out": handsOut, "revoke": set(revokeID),
	} {
		if diff := cmp.Diff(want, got[kind]); diff != "" {
			t.Errorf("%s operations (-want +got):\n%s", kind, diff)
		}
	}
}

func TestTableCounts(t *testing.T) {
	type counts struct{ Operations, JWT, Basic, None, UserOnly, HandsOut, CloneToken int }
	got := map[string]counts{}
	for _, op := range rules.Operations() {
		for edition := range service {
			if !strings.Contains(op.Editions, edition) {
				continue
			}
			c := got[edition]
			c.Operations++
			for counter, is := range map[*int]bool{
				&c.JWT: op.Credential == rules.JWT, &c.Basic: op.Credential == rules.ClientSecret, &c.None: op.Credential == rules.None,
				&c.UserOnly: op.UserOnly, &c.HandsOut: op.HandsOut, &c.CloneToken: op.CloneToken,
			} {
				if is {
					*counter++
				}
			}
			got[edition] = c
		}
	}
	want := map[string]counts{
		"github.com":        {1223, 22, 5, 2, 192, 17, 199},
		"Enterprise Cloud":  {1471, 23, 5, 2, 188, 22, 212},
		"Enterprise Server": {1040, 16, 5, 1, 109, 32, 142}, // with get-settings of older ones
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestTableUserOnly(t *testing.T) {
	user := map[string]bool{}
	for _, op := range rules.Operations() {
		user[op.ID] = op.UserOnly
	}
	for _, id := range []string{
		"users/get-authenticated", "repos/list-for-authenticated-user", "gists/create", "activity/list-notifications-for-authenticated-user",
		"repos/transfer", "issues/list", "migrations/start-for-org", "users/get-context-for-user",
	} {
		if !user[id] {
			t.Errorf("%s is not for users only", id)
		}
	}
	for _, id := range []string{
		"meta/root", "meta/get", "meta/get-zen", "meta/get-octocat", "meta/get-all-versions", "emojis/get", "rate-limit/get",
		"repos/upload-release-asset", "repos/compare-commits", "users/get-by-id", "packages/list-packages-for-authenticated-user",
		"apps/get-authenticated", "credentials/revoke", "pulls/create", "licenses/get-all-commonly-used", "markdown/render",
	} {
		if only, ok := user[id]; only || !ok {
			t.Errorf("%s is for users only, or unknown", id)
		}
	}
}

func TestKnownOperation(t *testing.T) {
	for id, want := range map[string]bool{
		"pulls/list": true, "oauth-authorizations/get-authorization": true, "apps/get-enterprise-installation": true,
		"": false, "pulls": false, "Pulls/List": false, "graphql": false, "git-upload-pack": false,
	} {
		if got := rules.KnownOperation(id); got != want {
			t.Errorf("KnownOperation(%q) = %v, want %v", id, got, want)
		}
	}
}

// TestTableFile checks that the committed file is sorted and within the bounds
// that the matcher relies on.
func TestTableFile(t *testing.T) {
	b, err := os.ReadFile("operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); line[0] != '#' {
			keys = append(keys, fields[1]+" "+fields[0])
		}
	}
	if !slices.IsSorted(keys) || len(slices.Compact(keys)) != len(keys) {
		t.Error("operations.txt is not sorted, or has an operation twice")
	}
	rules.WalkTable(func(words []string, afterMany bool, depth int) {
		for _, word := range words {
			if len(word) > rules.MaxWord {
				t.Errorf("the word %q is too long", word)
			}
		}
		if afterMany && depth > rules.MaxTail {
			t.Errorf("%d segments follow a parameter with slashes", depth)
		}
	})
}

// lookups are paths that are hard in different ways.
var lookups = map[string]string{
	"list":    "/repos/acme/widgets/pulls",
	"file":    "/repos/acme/widgets/contents/docs/guides/installation",
	"branch":  "/repos/acme/widgets/branches/feature/x/protection/restrictions/apps",
	"id":      "/repositories/1000/issues",
	"escaped": "/repos/acme/widgets/%72eleases/la%74est",
	"unknown": "/repos/acme/widgets/novelties/of/next/year",
	"long":    "/repos/acme/widgets/contents" + strings.Repeat("/protection", 1000),
	"branchy": "/repos/acme/widgets/branches" + strings.Repeat("/protection", 1000) + "/x",
}

func lookup(path string) rules.Request {
	return rules.Request{Method: "GET", Host: hosts["api.github.com"], Path: path}
}

func TestFindAllocatesNothing(t *testing.T) {
	for name, path := range lookups {
		req := lookup(path)
		if n := testing.AllocsPerRun(100, func() { rules.FindOperation(req) }); n != 0 {
			t.Errorf("finding %s takes %v allocations", name, n)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(lookups)) {
		b.Run(name, func(b *testing.B) {
			req := lookup(lookups[name])
			b.ReportAllocs()
			for b.Loop() {
				rules.FindOperation(req)
			}
		})
	}
}

func BenchmarkParseTable(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		rules.ParseTable()
	}
}

// FuzzFind compares the table with the reference.
func FuzzFind(f *testing.F) {
	all := descriptions()
	for i := 0; i < len(all); i += 97 {
		f.Add(all[i].method, fill(&all[i], i, 0, ""), i%2 == 0)
	}
	f.Add("GET", "/repos/o/r/compare/%2e..%2e..", true)
	f.Add("DELETE", "/repos/o/r/git/refs/", true)
	f.Add("GET", "/organizations/1//x", false)
	f.Add("GET", "/user/%31/repos", true)
	f.Fuzz(func(t *testing.T, method, path string, enterprise bool) {
		if !strings.HasPrefix(path, "/") || len(path) > 1000 || !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, method) {
			return
		}
		host, editions := hosts["api.github.com"], service["github.com"].editions
		if enterprise {
			host, editions = hosts["ghe.example.com"], service["Enterprise Server"].editions
		}
		got := rules.FindOperation(rules.Request{Method: method, Host: host, Path: path})
		want := ""
		if op, _ := reference(method, path, editions...); op != nil {
			want = op.id
		}
		if got != want && got != "enterprise-admin/get-settings" {
			t.Errorf("%s %q is %q, want %q", method, path, got, want)
		}
	})
}
