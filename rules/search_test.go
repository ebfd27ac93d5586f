package rules

import (
	"net/url"
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
		if got := names(searchSubjects(tt.query)); got != tt.want {
			t.Errorf("searchSubjects(%q) = %q, want %q", tt.query, got, tt.want)
		}
	}
}

func FuzzSearch(f *testing.F) {
	for _, text := range []string{`(repo:a/b OR -repo:"c/d")`, `NOT (org:a`, `"x\" user:b`, `label:"a b" org:c`, "q=org%3Aacme&q=", "-("} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		direct := search.Subjects(text)
		for _, s := range append(searchSubjects(text), direct...) {
			if !github.IsLogin(s.Login) || s.Repo != "" && !github.IsRepositoryName(s.Repo) || s.Enterprise || s.RepositoryID != 0 {
				t.Errorf("%q names %+v", text, s)
			}
		}
		if len(direct) > github.MaxSubjects {
			t.Errorf("%d subjects", len(direct))
		}
		// Escaped and sent, it is the same search.
		if got := names(searchSubjects("per_page=9&q=" + url.QueryEscape(text))); got != names(direct) {
			t.Errorf("%q sent names %q, want %q", text, got, names(direct))
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		searchSubjects("page=1&per_page=30&q=broken+repo%3Aacme%2Fwidgets+type%3Aissue")
	}
}
