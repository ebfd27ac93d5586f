package config

import (
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	const text = `# comment with = and [x]
a = "\"=[" # x = 1
[t."q.]".sub]
'k=' = """
x = 1
\"""""" # two more quotes
list = [ 1, "]",
  { m = { n = 1 } }, # , x
  { m = 2 },
]
[[rule]]
x.y = { z = 1 }
[[rule]]
x.y = '''
'''''
[rule.in]
v = 1979-05-27 07:32:00
[[rule.many]]
[[rule.many]]
w = 1
[t]
[late.inner]
[late]
`
	var values map[string]any
	md, err := toml.Decode(text, &values)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"a": 2, "t": 21, `t."q.]"`: 3, `t."q.]".sub`: 3, `t."q.]".sub."k="`: 4, `t."q.]".sub.list`: 7,
		`t."q.]".sub.list[3]`: 8, `t."q.]".sub.list[3].m`: 8, `t."q.]".sub.list[3].m.n`: 8,
		`t."q.]".sub.list[4]`: 9, `t."q.]".sub.list[4].m`: 9,
		"rule": 11, "rule[1]": 11, "rule[1].x": 12, "rule[1].x.y": 12, "rule[1].x.y.z": 12,
		"rule[2]": 13, "rule[2].x": 14, "rule[2].x.y": 14, "rule[2].in": 16, "rule[2].in.v": 17,
		"rule[2].many": 18, "rule[2].many[1]": 18, "rule[2].many[2]": 19, "rule[2].many[2].w": 20,
		"late": 23, "late.inner": 22,
	}
	if diff := cmp.Diff(want, locate(text, md.Keys()).lines); diff != "" {
		t.Errorf("locate (-want +got):\n%s", diff)
	}
}

// checkPlaces fails if the scanner and the TOML package disagree about the
// number of keys in a valid text.
func checkPlaces(t *testing.T, text string) {
	t.Helper()
	text = withoutMarks(text)
	var values map[string]any
	md, err := toml.Decode(text, &values)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(scan(text)), len(md.Keys()); got != want {
		t.Errorf("scan found %d keys, want %d", got, want)
	}
}

func TestClosest(t *testing.T) {
	known := []string{"host", "id", "client_id", "private_key_file", "private_key_env", "http2"}
	tests := []struct {
		key  string
		want []string
	}{
		{"hots", []string{"host"}},
		{"privateKeyFile", []string{"private_key_file"}},
		{"private_key", []string{"private_key_file", "private_key_env"}},
		{"http", []string{"http2"}},
		{"ip", []string{"id"}},
		{"xyzzy", nil},
		{"", nil},
		{"ä", nil},
	}
	for _, test := range tests {
		if got := closest(test.key, known); !cmp.Equal(got, test.want) {
			t.Errorf("closest(%q) = %q, want %q", test.key, got, test.want)
		}
	}
}
