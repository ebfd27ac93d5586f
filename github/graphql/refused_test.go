package graphql

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/github/search"
	"ghapp-proxy/strictjson"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// refused checks that a body is refused for a reason that contains want, and
// that the reason repeats little of the body.
func refused(t *testing.T, body []byte, want string) {
	t.Helper()
	start := time.Now()
	doc, err := readEachWay(t, body)
	var refusal *Error
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, want) {
		t.Errorf("Read(%.200s) = %+v, %v, want an error with %q", body, doc, err, want)
		return
	}
	if len(doc.Subjects)+len(doc.Fields) != 0 {
		t.Errorf("Read(%.200s) = %+v beside an error", body, doc)
	}
	if len(refusal.Reason) > 200 {
		t.Errorf("Read(%.200s): a reason of %d bytes: %.300s", body, len(refusal.Reason), refusal.Reason)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("Read(%.200s) took %v", body, d)
	}
}

func TestBodyRefused(t *testing.T) {
	const query = `{"query":"{viewer{login}}"`
	for _, tt := range []struct{ body, want string }{
		{``, "not one JSON value"},
		{`null`, "not a JSON object"},
		{`"{viewer{login}}"`, "not a JSON object"},
		{`[` + query + `}]`, "not a JSON object"},
		{query, "not one JSON value"},
		{query + `}{}`, "not one JSON value"},
		{query + `,}`, "not one JSON value"},
		{"\ufeff" + query + `}`, "not one JSON value"},
		{query + `} // x`, "not one JSON value"},
		{`query={viewer{login}}`, "not one JSON value"},
		{"{\"query\":\"{viewer{login}} # \xff\"}", "not UTF-8"},
		{"{\"query\":\"{viewer{login}} # \x00\"}", "not one JSON value"},
		{`{}`, "no query"},
		{`{"query":null}`, "no query"},
		{`{"query":""}`, "no query"},
		{`{"Query":"{viewer{login}}"}`, `unknown key "Query"`},
		{query + `,"QUERY":"{a}"}`, `unknown key "QUERY"`},
		{query + `,"id":"x"}`, `unknown key "id"`},
		{query + `,"` + strings.Repeat("é", 5000) + `":1}`, "unknown key"},
		{query + `,"query":"{a}"}`, `key "query" twice`},
		{query + `,"\u0071uery":"{a}"}`, `key "query" twice`},
		{query + `,"variables":{"a":1,"\u0061":2}}`, `key "a" twice`},
		{query + `,"variables":{"a":[{"b":{"c":1,"c":1}}]}}`, `key "c" twice`},
		{query + `,"extensions":{"a":1,"a":2}}`, `key "a" twice`},
		{query + `,"variables":{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"10":0,"9":0}}`, `key "9" twice`},
		{`{"query":["{viewer{login}}"]}`, "query has the wrong type"},
		{query + `,"variables":"{}"}`, "variables has the wrong type"},
		{query + `,"variables":[]}`, "variables has the wrong type"},
		{query + `,"operationName":1}`, "operationName has the wrong type"},
		{query + `,"extensions":""}`, "extensions has the wrong type"},
		{query + `,"variables":{"a":` + strings.Repeat("[", 150) + strings.Repeat("]", 150) + `}}`, "body is nested"},
		{query + `,"variables":{"a":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + `}}`, "body is nested"},
		{query + `,"variables":{"a":[0` + strings.Repeat(",0", strictjson.MaxValues) + `]}}`, "more than 50000 values"},
		{query + strings.Repeat(" ", MaxBody) + `}`, "larger than 1048576 bytes"},
	} {
		refused(t, []byte(tt.body), tt.want)
	}
}

func TestOperation(t *testing.T) {
	const several = `query A{organization(login:"acme"){id}} mutation B{b(id:"R_kgDNIyk"){id}} subscription C{c{id}}`
	for _, tt := range []struct{ query, name, want string }{
		{several, `"A"`, "acme"},
		{several, `"B"`, "repository:9001"},
		{`query A{organization(login:"acme"){id}}`, `"A"`, "acme"},
		{`query A{organization(login:"acme"){id}}`, `""`, "acme"},
		{`query A{organization(login:"acme"){id}}`, `null`, "acme"},
		{`{organization(login:"acme"){id}}`, `null`, "acme"},
	} {
		text := strings.TrimSuffix(string(body(tt.query, "")), "}") + `,"operationName":` + tt.name + `}`
		doc, err := readEachWay(t, []byte(text))
		if got := brief(doc.Subjects...); err != nil || got != tt.want || doc.Mutation != (tt.name == `"B"`) {
			t.Errorf("Read(%s) = %q, mutation %v, %v, want %q", text, got, doc.Mutation, err, tt.want)
		}
	}
	for _, tt := range []struct{ query, name, want string }{
		{several, `"C"`, "is a subscription"},
		{several, `"D"`, `no operation with the name "D"`},
		{several, `"a"`, `no operation with the name "a"`},
		{several, `null`, "operationName does not say"},
		{several, `""`, "operationName does not say"},
		{several, `"` + strings.Repeat("x", 10_000) + `"`, "no operation with the name"},
		{`{viewer{login}}`, `"A"`, `no operation with the name "A"`},
		{`query A{a} {b}`, `"A"`, "without a name is not the only one"},
		{`query A{a} query A{b}`, `"A"`, `two operations have the name "A"`},
		{`fragment F on Query{a}`, `null`, "no operation"},
		{`# nothing`, `null`, "no operation"},
	} {
		refused(t, []byte(strings.TrimSuffix(string(body(tt.query, "")), "}")+`,"operationName":`+tt.name+`}`), tt.want)
	}
}

func TestDocumentRefused(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{`{`, "syntax error in the document: line 1, column 2"},
		{`{}`, "syntax error"},
		{`{a(b:)}`, "syntax error"},
		{"{a \x00}", "syntax error"},
		{"{a(b:\"\x01\")}", "syntax error"},
		{"# \x00\n{a}", "syntax error"},
		{`{a` + strings.Repeat("'", 5000) + `}`, "syntax error"},
		{`{a} ` + strings.Repeat("x", 5000), "syntax error"},
		{`type Query{a:Int}`, "syntax error"},
		{`{a(b:$c)}`, `variable "c" is not defined`},
		{`query($c:Int,$c:Int){a(b:$c)}`, `variable "c" is defined twice`},
		{`{a(b:[{c:$d}])}`, `variable "d" is not defined`},
		{`{repository(owner:"acme",owner:"globex",name:"x"){id}}`, `argument "owner" is given twice`},
		{`{a(b:{c:1,c:2})}`, `input field "c" is given twice`},
		{`{...F}`, `fragment "F" is not defined`},
		{`{...F} fragment F on Query{a} fragment F on Query{b}`, `two fragments have the name "F"`},
		{`{...F} fragment F on Query{...F}`, `fragment "F" contains itself`},
		{`{...F} fragment F on Query{a{...G}} fragment G on A{...on A{...F}}`, `contains itself`},
		{`{organization(login:"a"){...F}} fragment F on O{organization(login:"b"){...F}}`, `contains itself`},
		{`{...F} fragment F($x:Int) on Query{a(b:$x)}`, `fragment "F" has variables`},

		// Read differently by different lexers.
		{"{a # \r b }", "carriage return"},
		{"{a}\r", "carriage return"},
		{`{a(b:"""x"""")}`, "quotes in a row"},
		{`{a(b:"""""")}`, "quotes in a row"},
		{`{a(b:"""x\""")}`, "three after a backslash"},

		// Too much.
		{`{` + strings.Repeat("a ", maxTokens) + `}`, "more than 20000 tokens"},
		{strings.Repeat("#\n", maxTokens) + `{a}`, "more than 20000 tokens"},
		{strings.Repeat("{a", 150) + strings.Repeat("}", 150), "nested more than 100"},
		{strings.Repeat("{a", 5000) + strings.Repeat("}", 5000), "syntax error"},
		{`{a(b:` + strings.Repeat("[", 150) + strings.Repeat("]", 150) + `)}`, "nested more than 100"},
		{`{a(b:` + strings.Repeat("{c:", 150) + `1` + strings.Repeat("}", 150) + `)}`, "nested more than 100"},
		{fragmentChain(150, 1), "nested more than 100"},
		{many(200, `f%d: organization(login:"a%[1]d"){id} `), "more than 100 owners"},
		{many(200, `f%d: user(login:"a%[1]d"){id} `), "more than 100 owners"},
		{many(200, `f%d: resource(url:"https://h%[1]d.example/acme/widgets"){id} `), "more than 100 owners"},
		{many(200, `f%d `), "more than 100 different fields"},
	} {
		refused(t, body(tt.query, ""), tt.want)
	}
}

// fragmentChain is a document in which each fragment spreads the next so many
// times.
func fragmentChain(length, times int) string {
	var b strings.Builder
	b.WriteString("{...F0}")
	for i := range length {
		fmt.Fprintf(&b, " fragment F%d on Q{a%s}", i, strings.Repeat(fmt.Sprintf(" a{...F%d}", i+1), times))
	}
	fmt.Fprintf(&b, ` fragment F%d on Q{organization(login:"acme"){id}}`, length)
	return b.String()
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return "{" + b.String() + "}"
}

// A bomb that would expand to 100⁴⁰ fields is read as what it is.
func TestBombs(t *testing.T) {
	doc, err := readEachWay(t, body(fragmentChain(40, 90), ""))
	if err != nil || brief(doc.Subjects...) != "acme" {
		t.Errorf("fragments: %q, %v", brief(doc.Subjects...), err)
	}
	// Many references to a large variable.
	list := `{"v":["x"` + strings.Repeat(`,"x"`, strictjson.MaxValues-10) + `]}`
	refused(t, body(`query($v:[ID]){`+strings.Repeat("a(b:$v)", 1000)+`}`, list), "expands to more than 100000")
	// Each scope of a fragment is visited, but there are not many.
	fields := strings.Repeat("a ", 5000)
	refused(t, body(many(99, `f%d:organization(login:"a%[1]d"){...F}`)+` fragment F on O{`+fields+`}`, ""), "expands to more than 100000")
	// Texts that take long to read, each time.
	for _, text := range []string{strings.Repeat("org:acme ", search.MaxLength/9), strings.Repeat("x ", MaxBody/3)} {
		start := time.Now()
		for _, field := range []string{`s%d:search(query:$t){a}`, `r%d:resource(url:$t){a}`, `c%d:c(repositoryNameWithOwner:$t,id:$t)`} {
			Read(body("query($t:String)"+many(1600, field), `{"t":"`+text+`"}`))
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("a text of %d bytes, read again and again, took %v", len(text), d)
		}
	}
	// Ids, all of the same repository.
	ids := `{"v":["R_kgDNIyk"` + strings.Repeat(`,"R_kgDNIyk"`, strictjson.MaxValues-10) + `]}`
	if doc, err := readEachWay(t, body(`query($v:[ID!]!){nodes(ids:$v){id}}`, ids)); err != nil || brief(doc.Subjects...) != "repository:9001" {
		t.Errorf("ids: %q, %v", brief(doc.Subjects...), err)
	}
}

// TestLexicalDifferences fails once gqlparser ends block strings where the
// specification does. checkLexical need not refuse long runs of quotes then,
// as far as gqlparser is concerned.
func TestLexicalDifferences(t *testing.T) {
	doc, err := parser.ParseQuery(&ast.Source{Input: `{a(b:"""x"""")}`})
	if err != nil || doc.Operations[0].SelectionSet[0].(*ast.Field).Arguments[0].Value.Raw != `x"` {
		t.Errorf("gqlparser reads four quotes differently now: %v", err)
	}
}
