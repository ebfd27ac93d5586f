package rules

import (
	"net/url"
	"strings"
	"testing"

	"ghapp-proxy/github"
)

func TestQualifierSubjects(t *testing.T) {
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
		if got := brief(qualifierSubjects(tt.query)...); got != tt.want {
			t.Errorf("qualifierSubjects(%q) = %q, want %q", tt.query, got, tt.want)
		}
	}
}

func TestQualifierSubjectsBound(t *testing.T) {
	var query strings.Builder
	for i := range maxSubjects {
		query.WriteString(" org:a" + strings.Repeat("b", i))
	}
	if got := len(qualifierSubjects(query.String())); got != maxSubjects {
		t.Errorf("%d subjects, want %d", got, maxSubjects)
	}
	query.WriteString(" org:one-more")
	if got := qualifierSubjects(query.String()); got != nil {
		t.Errorf("%d subjects of one too many, want none", len(got))
	}
}

func TestSearchSubjects(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{"", ""},
		{"page=1&per_page=30&q=broken+repo%3Aacme%2Fwidgets+type%3Aissue", "acme/widgets"},
		{"page=1&q=widgets+user%3Aacme", "acme"},
		{"q=repo:acme/widgets", "acme/widgets"},
		{"%71=repo:acme/widgets", "acme/widgets"},
		{"q=repo:%22acme/widgets%22", "acme/widgets"},
		{"q=%22repo:acme/widgets%22", ""},
		{"q=org:acme%0aorg:globex", "acme globex"},
		{"q=a%2Borg:acme", ""},
		{"q=org:acme%zz", ""},
		{"q=org:%2561cme", ""},
		{"q=org:acme&q=org:globex", ""},
		{"q=org:acme&%71=", ""},
		{"Q=org:acme", ""},
		{"q[]=org:acme", ""},
		{"q", ""},
		{"sort=q&order=org:acme", ""},
	} {
		if got := brief(searchSubjects(tt.query)...); got != tt.want {
			t.Errorf("searchSubjects(%q) = %q, want %q", tt.query, got, tt.want)
		}
	}
}

func FuzzSearch(f *testing.F) {
	for _, text := range []string{`(repo:a/b OR -repo:"c/d")`, `NOT (org:a`, `"x\" user:b`, `label:"a b" org:c`, "q=org%3Aacme&q=", "-("} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		direct := qualifierSubjects(text)
		for _, s := range append(searchSubjects(text), direct...) {
			if !github.IsLogin(s.Login) || s.Repo != "" && !github.IsRepositoryName(s.Repo) || s.Enterprise || s.RepositoryID != 0 {
				t.Errorf("%q names %+v", text, s)
			}
		}
		if len(direct) > maxSubjects {
			t.Errorf("%d subjects", len(direct))
		}
		// Escaped and sent, it is the same search.
		if got := brief(searchSubjects("per_page=9&q=" + url.QueryEscape(text))...); got != brief(direct...) {
			t.Errorf("%q sent names %q, want %q", text, got, brief(direct...))
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		searchSubjects("page=1&per_page=30&q=broken+repo%3Aacme%2Fwidgets+type%3Aissue")
	}
}
