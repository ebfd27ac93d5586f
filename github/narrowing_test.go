package github_test

import (
	"fmt"
	"strings"
	"testing"

	"ghapp-proxy/github"
)

// narrowing reads "a b 5 contents:read": names, ids and permissions. "" is nil.
func narrowing(t *testing.T, s string) *github.Narrowing {
	t.Helper()
	var repos []string
	var ids []int64
	var permissions map[string]string
	for word := range strings.FieldsSeq(s) {
		if name, level, ok := strings.Cut(word, ":"); ok {
			if permissions == nil {
				permissions = map[string]string{}
			}
			permissions[name] = level
		} else if '0' <= word[0] && word[0] <= '9' {
			ids = append(ids, int64(word[0]-'0'))
		} else {
			repos = append(repos, word)
		}
	}
	if s == "" {
		return nil
	}
	n, err := github.NewNarrowing(repos, ids, permissions)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNarrowingAnd(t *testing.T) {
	const nothing = "nothing"
	for _, test := range []struct{ a, b, want string }{
		{"", "", ""},
		{"a", "", "a"},
		{"a B", "b c", "b"},
		{"a", "c", nothing},
		{"1 2", "2 3", "2"},
		{"a 1", "a 2", "a"},
		{"a 1", "a", "a"},
		{"a", "1", nothing}, // they may be the same, but nobody can tell
		{"a", "contents:read", "a contents:read"},
		{"contents:write", "contents:read issues:write", "contents:read"},
		{"contents:admin issues:read", "contents:write issues:write", "contents:write issues:read"},
		{"contents:read", "issues:read", nothing},
		{"a contents:read", "a issues:read", nothing},
		{"a contents:read", "b contents:read", nothing},
		{"a b contents:write", "b contents:read", "b contents:read"},
		{"what_is_new:write", "", "what_is_new:write"}, // GitHub decides what there is
	} {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			got, err := narrowing(t, pair[0]).And(narrowing(t, pair[1]))
			switch {
			case test.want == nothing && (err == nil || !strings.Contains(err.Error(), " is left of a token narrowed to ")):
				t.Errorf("And(%q, %q) = %s, %v, want an error that says what both are", pair[0], pair[1], got, err)
			case test.want != nothing && (err != nil || got.String() != narrowing(t, test.want).String()):
				t.Errorf("And(%q, %q) = %s, %v, want %q", pair[0], pair[1], got, err, test.want)
			}
		}
	}
}

func TestNarrowingRefuses(t *testing.T) {
	for name, err := range map[string]error{
		"owner":      second(github.NewNarrowing([]string{"acme/widgets"}, nil, nil)),
		"long name":  second(github.NewNarrowing([]string{strings.Repeat("a", 101)}, nil, nil)),
		"id":         second(github.NewNarrowing(nil, []int64{-1}, nil)),
		"level":      second(github.NewNarrowing(nil, nil, map[string]string{"contents": "all"})),
		"permission": second(github.NewNarrowing(nil, nil, map[string]string{"Contents\n": "read"})),
		"token":      second(github.NewNarrowing([]string{"acme/ghs_0123456789012345678901234567890123456789"}, nil, nil)),
	} {
		if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "ghs_") {
			t.Errorf("%s: error %v, want one in one line, without the token", name, err)
		}
	}
}

func TestNarrowingErrors(t *testing.T) {
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprint("r", i)
	}
	for name, err := range map[string]error{
		"nothing":        second(github.NewNarrowing(nil, nil, nil)),
		"no repository":  second(github.NewNarrowing([]string{}, nil, nil)),
		"no id":          second(github.NewNarrowing(nil, []int64{}, map[string]string{"contents": "read"})),
		"no permission":  second(github.NewNarrowing([]string{"a"}, nil, map[string]string{})),
		"501 repository": second(github.NewNarrowing(many, nil, nil)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[A, B any](_ A, b B) B { return b }

// TestParseNarrowing reverts String.
func TestParseNarrowing(t *testing.T) {
	for _, n := range []*github.Narrowing{nil, narrowing(t, "b a 7 contents:read")} {
		got, err := github.ParseNarrowing(n.String())
		if err != nil || got.String() != n.String() {
			t.Errorf("ParseNarrowing(%q) = %q, %v", n.String(), got, err)
		}
	}
	for _, text := range []string{"-", "{}", `{"repositories":[]}`, `{"repositories":["../x"]}`} {
		if got, err := github.ParseNarrowing(text); err == nil {
			t.Errorf("ParseNarrowing(%q) = %q, want an error", text, got)
		}
	}
}
