package rules_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"

	"github.com/google/go-cmp/cmp"
)

// service says how the walk asks for the operations of an edition.
var service = map[string]struct {
	base     string
	editions []string
}{
	"github.com":        {"api.github.com", []string{"github.com", "Enterprise Cloud"}},
	"Enterprise Cloud":  {"api.octo.ghe.com", []string{"github.com", "Enterprise Cloud"}},
	"Enterprise Server": {"ghe.example.com/api/v3", []string{"Enterprise Server"}},
}

// Legal values of parameters, among them the words of other routes.
var (
	logins = []string{"acme", "installation", "app", "installations", "Octo-Cat", "repos", "user", "42"}
	repos  = []string{"widgets", "installation", "app", "token", ".github", "w.js", "latest", "contents"}
	ids    = []string{"42", "1", "7000000000", "42", "3", "99", "123456789012345678", "8"}
	one    = []string{"42", "installation", "app", "token", "latest", "a.b-c_d~e", "access_tokens", "protection", "a%2Fb", "s%C3%B8r"}
	many   = []string{"main", "docs/installation", "feature/x/protection", "applications/a/token.go", "heads/installation",
		"app/installations/1/access_tokens", "a/b/c/d/e/f/g/h/i/j/k/l", "v1.0...v2/x", "contexts", "protection/restrictions/apps"}
)

// value returns value number n for a parameter, which is segment i.
func value(op *described, name string, n, i int) string {
	list := one
	switch {
	case op.kind("{"+name+"}") == isMany:
		list = many
	case i == 1 && (name == "organization_id" || name == "user_id" && op.pattern[0] == "users"), name == "org" || name == "owner" || name == "username" || name == "enterprise" || name == "template_owner":
		list = logins
	case name == "repo" || name == "template_repo":
		list = repos
	case op.pattern[0] == "teams", i == 1 && op.pattern[0] == "user":
		list = ids
	}
	if v := list[n%len(list)]; i > 1 || v != "a%2Fb" {
		return v
	}
	return "a-b" // no name at the start of a path has a slash
}

// fill returns a path of an operation with round n of the values, and word in
// place of segment at, if that is not 0.
func fill(op *described, n, at int, word string) string {
	var path strings.Builder
	for i, s := range op.pattern {
		path.WriteByte('/')
		if i == at && at > 0 {
			s = word
		}
		for s != "" {
			literal, param, _ := strings.Cut(s, "{")
			name, rest, _ := strings.Cut(param, "}")
			path.WriteString(literal)
			if name != "" {
				path.WriteString(value(op, name, n+i*(n/10), i))
			}
			s = rest
		}
	}
	if path.Len() == 0 {
		return "/"
	}
	return path.String()
}

// siblings are the words that routes have in a place: by their pattern before
// it, with the names of parameters left out.
var siblings = sync.OnceValue(func() map[string]map[string]bool {
	words := map[string]map[string]bool{}
	all := descriptions()
	for i := range all {
		for j, s := range all[i].pattern {
			if key := before(&all[i], j); s[0] != '{' {
				if words[key] == nil {
					words[key] = map[string]bool{}
				}
				words[key][s] = true
			}
		}
	}
	return words
})

func before(op *described, i int) string {
	out := slices.Clone(op.pattern[:i])
	for j, s := range out {
		if s[0] == '{' {
			out[j] = "{}"
		}
	}
	return strings.Join(out, "/")
}

// paths returns legal paths of an operation: with each of the values above,
// and with each word that another route has where this one has a parameter.
func paths(op *described) []string {
	first := fill(op, 0, 0, "")
	out := []string{first}
	if first == fill(op, 1, 0, "") {
		return out // there are no parameters
	}
	for n := 1; n < 20; n++ {
		out = append(out, fill(op, n, 0, ""))
	}
	for i, s := range op.pattern {
		if s[0] != '{' || i == 1 && op.pattern[0] == "user" {
			continue
		}
		for _, word := range slices.Sorted(maps.Keys(siblings()[before(op, i)])) {
			out = append(out, fill(op, 0, i, word))
		}
	}
	return out
}

// TestWalk asks for every operation that GitHub's descriptions have.
func TestWalk(t *testing.T) {
	all := descriptions()
	count := map[string]int{}
	moved := 0
	for i := range all {
		op := &all[i]
		at := service[op.edition]
		count[op.edition]++
		for _, path := range paths(op) {
			want, _ := reference(op.method, path, at.editions...)
			if want == nil {
				t.Fatalf("the reference does not know %s %s", op.method, path)
			}
			if want.id != op.id {
				moved++
			}
			checkWalk(t, op.method+" "+at.base+path, want, path)
		}
	}
	want := map[string]int{"github.com": 1223, "Enterprise Cloud": 1471, "Enterprise Server": 1039}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	t.Logf("%d of the paths were other operations", moved)
}

func checkWalk(t *testing.T, in string, want *described, path string) {
	t.Helper()
	route, err := rules.Set{JWTWrites: true}.Route(request(t, in))
	if err != nil {
		t.Errorf("Route(%q): %v", in, err)
		return
	}
	got := fmt.Sprint(route.Operation, " ", route.Credential, " ", describe(route.Subject), " ", route.Refused)
	if want := fmt.Sprint(want.id, " ", credentialOf(want.id), " ", subjectOf(want, path), " ", refusalOf(want.id)); got != want {
		t.Errorf("Route(%q) = %s, want %s", in, got, want)
	}
	if route.HandsOut != handsOutIDs[want.id] {
		t.Errorf("Route(%q) hands out: %v", in, route.HandsOut)
	}
	if want := map[bool]string{true: "path", false: ""}[route.Subject.Named()]; route.Source != want {
		t.Errorf("Route(%q) found the subject in %q, want %q", in, route.Source, want)
	}
}

func credentialOf(id string) rules.Credential {
	switch {
	case jwtIDs[id]:
		return rules.JWT
	case basicIDs[id]:
		return rules.ClientSecret
	case noneIDs[id]:
		return rules.None
	}
	return rules.Installation
}

func refusalOf(id string) rules.Refusal {
	switch {
	case handsOutIDs[id]:
		return rules.RefusedHandsOut
	case id == revokeID:
		return rules.RefusedRevoke
	}
	return ""
}

func describe(s github.Account) string {
	return fmt.Sprintf("%s/%s %v %d %d %d", s.Login, s.Repo, s.Enterprise, s.RepositoryID, s.AccountID, s.TeamID)
}

// subjectOf reads whom a path is about by the names of the parameters.
func subjectOf(op *described, path string) string {
	var s github.Account
	got := plain(segmentsOf(path))
	number := func(text string) int64 { n, _ := strconv.ParseInt(text, 10, 64); return n }
	for i, segment := range op.pattern {
		first := i == 1 && len(op.pattern) > 1
		switch {
		case segment == "{owner}" || segment == "{template_owner}":
			s.Login, s.Repo = got[i], got[i+1]
		case first && op.pattern[0] == "organizations" && number(got[i]) > 0:
			s.AccountID = number(got[i])
		case segment == "{org}", segment == "{organization_id}":
			s.Login = got[i]
		case segment == "{enterprise}":
			s.Login, s.Enterprise = got[i], true
		case first && segment == "{username}" && op.pattern[0] == "users":
			s.Login = got[i]
		case first && op.pattern[0] == "teams":
			s.TeamID = number(got[i])
		case first && op.pattern[0] == "user" && segment[0] == '{',
			first && segment == "{user_id}" && number(got[i]) > 0:
			s.AccountID = number(got[i])
		case first && segment == "{user_id}" && op.pattern[0] == "users":
			s.Login = got[i]
		default:
			continue
		}
		break
	}
	return describe(s)
}

// TestWalkAliases asks for the operations under GitHub's aliases by id.
func TestWalkAliases(t *testing.T) {
	all := descriptions()
	for i := range all {
		op := &all[i]
		at := service[op.edition]
		for _, path := range paths(op) {
			segments := segmentsOf(path)
			want := github.Account{}
			switch {
			case len(segments) > 2 && op.pattern[0] == "repos":
				path = "/repositories/1000"
				segments = segments[3:]
				want.RepositoryID = 1000
			case len(segments) > 1 && op.pattern[0] == "orgs":
				path = "/organizations/1001"
				segments = segments[2:]
				want.AccountID = 1001
			case len(segments) > 1 && op.pattern[0] == "users":
				path = "/user/1002"
				segments = segments[2:]
				want.AccountID = 1002
			default:
				continue
			}
			if len(segments) > 0 {
				path += "/" + strings.Join(segments, "/")
			}
			meant, _ := reference(op.method, path, at.editions...)
			route, err := rules.Set{JWTWrites: true}.Route(request(t, op.method+" "+at.base+path))
			if err != nil || meant == nil || route.Operation != meant.id || route.Credential != credentialOf(meant.id) ||
				route.Refused != refusalOf(meant.id) || route.Subject != want {
				t.Errorf("Route(%q) = %+v, %v, want %+v of %v", op.method+" "+path, route, err, meant, want)
			}
		}
	}
}
