package search_test

import (
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/github/search"
)

// names joins subjects: "acme/widgets acme".
func names(subjects []github.Account) string {
	var list []string
	for _, s := range subjects {
		list = append(list, s.String())
	}
	return strings.Join(list, " ")
}

func TestSubjects(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{"", ""},
		{"broken", ""},
		{"broken repo:acme/widgets type:issue", "acme/widgets"},
		{"user:acme", "acme"},
		{"org:acme is:open", "acme"},
		{"REPO:Acme/Widgets.js", "Acme/Widgets.js"},
		{`repo:"acme/widgets"`, "acme/widgets"},
		{`label:"help wanted"repo:acme/widgets`, ""},
		{`label:"help wanted" repo:acme/widgets`, "acme/widgets"},
		{"repo:acme/widgets repo:globex/tools", "acme/widgets globex/tools"},
		{"repo:acme/widgets repo:ACME/Widgets org:acme", "acme/widgets acme"},

		// Operators and parentheses.
		{"(repo:a/b OR repo:c/d)", "a/b c/d"},
		{"is:open AND (repo:a/b OR (org:c AND label:x))", "a/b c"},
		{"(repo:a/b)", "a/b"},
		{"((repo:a/b", "a/b"},
		{")repo:a/b", "a/b"},

		// Negated.
		{"-repo:acme/widgets", ""},
		{"NOT org:acme user:globex", "globex"},
		{"NOT repo:a/b repo:c/d", "c/d"},
		{"NOT (repo:a/b OR (repo:c/d)) repo:e/f", "e/f"},
		{"-(repo:a/b OR repo:c/d) repo:e/f", "e/f"},
		{"NOT (a (NOT repo:a/b) repo:c/d)", ""},
		{"foo - bar repo:a/b", "a/b"},
		{"NOT AND repo:a/b", "a/b"},
		{`NOT "x" repo:a/b`, "a/b"},

		// Text.
		{`"repo:acme/widgets"`, ""},
		{`"see repo:acme/widgets here" org:globex`, "globex"},
		{`"a \" repo:acme/widgets" org:globex`, "globex"},
		{`"unclosed repo:acme/widgets`, ""},
		{`in:title"repo:acme/widgets"`, ""},
		{`-"x" repo:a/b`, "a/b"},

		// What cannot be a name.
		{"user:@me repo:@me/x org:", ""},
		{"repo:acme", ""},
		{"repo:acme/", ""},
		{"repo:/widgets", ""},
		{"repo:acme/widgets/x", ""},
		{"repo:acme/..", ""},
		{"org:acme,globex", ""},
		{"org:ac.me", ""},
		{"org:-acme", ""},
		{"repo:%61cme/widgets", ""},
		{`org:"acme`, ""},
		{`org:ac"me"`, ""},
		{"org:" + strings.Repeat("a", 101), ""},
		{"org:acmé org:acme\x00", ""},

		// Other qualifiers.
		{"owner:acme author:octocat repository:a/b myrepo:a/b", ""},
	} {
		if got := names(search.Subjects(tt.query)); got != tt.want {
			t.Errorf("search.Subjects(%q) = %q, want %q", tt.query, got, tt.want)
		}
	}
}

func TestSubjectsBound(t *testing.T) {
	var query strings.Builder
	for i := range github.MaxSubjects {
		query.WriteString(" org:a" + strings.Repeat("b", i))
	}
	if got := len(search.Subjects(query.String())); got != github.MaxSubjects {
		t.Errorf("%d subjects, want %d", got, github.MaxSubjects)
	}
	query.WriteString(" org:one-more")
	if got := search.Subjects(query.String()); got != nil {
		t.Errorf("%d subjects of one too many, want none", len(got))
	}
}

func TestReach(t *testing.T) {
	for reach, texts := range map[github.Reach][]string{
		github.ReachNamed: {
			"repo:acme/widgets is:open", `label:"good first" repo:"acme/widgets"`, `"two words" repo:acme/widgets -repo:acme/x`, "repo:acme/widgets repo:globex/tools",
			"  repo:acme/widgets  ",
		},
		github.ReachOwners: {"org:acme", "user:acme x", "repo:acme/widgets org:acme"},
		github.ReachAny: {
			"", "secret", "-repo:acme/widgets", "repo:acme/widgets OR x", "repo:acme/widgets or x", "NOT repo:acme/widgets", "(repo:acme/widgets)", "REPO:acme/widgets",
			"repo:acme/*", "user:@me", "repo:acme/widgets owner:globex", "repo:acme/widgets enterprise:mega", `"repo:acme/widgets`, `repo:acme/widgets "repo:globex/tools"`,
			`repo:acme/widgets \"x`, "repo:acme/widgets\tx", "repo:acme/widgets\u00a0x", "repo:acme/widgets a\tOR\tb", "repo:acme/widgets a\u00a0OR\u00a0b", `x"y" repo:acme/widgets`, "repo:acme/widgets " + strings.Repeat("x", search.MaxLength),
		},
	} {
		for _, text := range texts {
			if got := search.Reach(text); got != reach {
				t.Errorf("Reach(%.80q) = %d, want %d", text, got, reach)
			}
		}
	}
}

func FuzzSubjects(f *testing.F) {
	for _, text := range []string{`(repo:a/b OR -repo:"c/d")`, `NOT (org:a`, `"x\" user:b`, `label:"a b" org:c`, "-("} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		subjects := search.Subjects(text)
		for _, s := range subjects {
			if !github.IsLogin(s.Login) || s.Repo != "" && !github.IsRepositoryName(s.Repo) || s.Enterprise || s.RepositoryID != 0 {
				t.Errorf("%q names %+v", text, s)
			}
		}
		if len(subjects) > github.MaxSubjects {
			t.Errorf("%d subjects", len(subjects))
		}
		if len(subjects) == 0 && search.Reach(text) != github.ReachAny {
			t.Errorf("%q names nobody, and leads not everywhere", text)
		}
	})
}
