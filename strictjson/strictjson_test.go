package strictjson_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"ghapp-proxy/strictjson"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	const text = " {\r\n\t\"a\" : [ 1 , -2.5e3,true, null ,{\"\\\"\\\\\": \"\\u0061\" } ,[ ], { }] ,\n\"A\":\"é\" } "
	want := strictjson.Object{
		{Key: "a", Value: []any{
			strictjson.Scalar("1"), strictjson.Scalar("-2.5e3"), strictjson.Scalar("true"), nil,
			strictjson.Object{{Key: `"\`, Value: "a"}}, []any{}, strictjson.Object{},
		}},
		{Key: "A", Value: "é"},
	}
	got, err := strictjson.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("Read(%s) (-want +got):\n%s", text, diff)
	}
}

func TestReadRefuses(t *testing.T) {
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":0,`, i)
		}
		return b.String()
	}
	for _, test := range []struct{ text, want string }{
		{"", "is not one JSON value"},
		{"{}{}", "is not one JSON value"},
		{"\ufeff{}", "is not one JSON value"},
		{`{"a":1,}`, "is not one JSON value"},
		{"\"\xff\"", "is not UTF-8"},
		{`{"a":1,"a":2}`, `has the key "a" twice in one object`},
		{`[{"b":{"a":1,"\u0061":2}}]`, `has the key "a" twice in one object`},
		{`{` + keys(30) + `"29":0}`, `has the key "29" twice in one object`},
		{`{` + keys(30) + `"0":0}`, `has the key "0" twice in one object`},
		{`{` + keys(7) + `"6":0}`, `has the key "6" twice in one object`},
		{`{"` + strings.Repeat("é", 500) + `":1,"` + strings.Repeat("é", 500) + `":1}`, `has the key "` + strings.Repeat("é", 20) + `"… twice in one object`},
		{strings.Repeat("[", 102) + strings.Repeat("]", 102), "is nested more than 100 deep"},
		{"[0" + strings.Repeat(",0", strictjson.MaxValues) + "]", "has more than 50000 values"},
	} {
		if got, err := strictjson.Read([]byte(test.text)); err == nil || err.Error() != test.want {
			t.Errorf("Read(%.80s) = %.80v, %v, want the error %q", test.text, got, err, test.want)
		}
	}
}

// FuzzRead: what is read is what encoding/json reads, which has no key twice.
func FuzzRead(f *testing.F) {
	for _, text := range []string{`{"a":[1,"\u0061",null,{"b":-1e9}],"c":{}}`, ` [ ] `, `"\ud800"`, `{"a":1,"a":2}`, `0`, `{"":[[[]]]}`,
		`"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\ud83d\u0041\ud83d"`, `"\ud83d\ud83d\ude00"`, `[-0.5E+10,0e-1,1.0]`, `01`, `1.`, `.5`, `1e`, `-`, `+1`, `"\x"`, `"\u12g4"`, `"\u12`, "\"\n\"", "\"\\n\n\"", `nul`, `truefalse`, `[1 2]`, `{"a" 1}`, `{"a":1 "b":2}`, `{a:1}`, `[1,]`, `{,}`, `[`, `{`, `{"a"`, `{"a":`, "[1]\x00", `"`, `"\`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := strictjson.Read(text)
		if valid := utf8.Valid(text) && json.Valid(text); valid != (err == nil) && (err == nil || !isOurs(err)) {
			t.Errorf("Read(%q): %v, which encoding/json says is valid: %v", text, err, valid)
		}
		if err != nil {
			if got != nil || len(err.Error()) > 300 {
				t.Errorf("%v beside %v", got, err)
			}
			return
		}
		var want any
		in := json.NewDecoder(strings.NewReader(string(text)))
		in.UseNumber()
		if err := in.Decode(&want); err != nil || !reflect.DeepEqual(plain(got), want) {
			t.Errorf("Read(%q) = %v, want %v, %v", text, got, want, err)
		}
	})
}

// isOurs reports whether a text may be JSON all the same.
func isOurs(err error) bool {
	return strings.Contains(err.Error(), "twice") || strings.Contains(err.Error(), "more than")
}

// plain is a value as encoding/json has it.
func plain(value any) any {
	switch v := value.(type) {
	case strictjson.Object:
		object := make(map[string]any, len(v))
		for _, m := range v {
			object[m.Key] = plain(m.Value)
		}
		return object
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case strictjson.Scalar:
		if v == "true" || v == "false" {
			return v == "true"
		}
		return json.Number(v)
	}
	return value
}

func ExampleRead() {
	value, err := strictjson.Read([]byte(`{"query": "{viewer{login}}", "first": 10}`))
	fmt.Printf("%q %v\n", value, err)
	_, err = strictjson.Read([]byte(`{"query": "{a}", "query": "{b}"}`))
	fmt.Println("the body", err)
	// Output:
	// [{"query" "{viewer{login}}"} {"first" "10"}] <nil>
	// the body has the key "query" twice in one object
}
