package graphql

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// ofAllTests has what any test reads.
var ofAllTests = NewCache()

// readEachWay is Read, and checks that a Cache says the same: when it has the document
// not, and when it has it.
func readEachWay(t testing.TB, body []byte) (Document, error) {
	t.Helper()
	want, wantErr := Read(body)
	for range 3 {
		got, err := ofAllTests.Read(body)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(err, wantErr) {
			t.Errorf("Read(%.200s) = %+v, %v, with a Cache %+v, %v", body, want, wantErr, got, err)
		}
	}
	return want, wantErr
}

// TestCacheDependsOnTextOnly: a document has other variables each time.
func TestCacheDependsOnTextOnly(t *testing.T) {
	c := NewCache()
	const query = `query A($o:String="acme",$t:SearchType=USER){repository(owner:$o,name:"w"){id} search(type:$t,query:"x"){nodes{...on Issue{title}}}}
		mutation B($o:ID!){b(id:$o){id}}`
	for range 3 {
		for _, rest := range []string{
			`"operationName":"A","variables":{"o":"globex"}`, `"operationName":"A","variables":{}`, `"operationName":"A"`,
			`"operationName":"A","variables":{"o":null}`, `"operationName":"A","variables":{"o":["x"],"t":"ISSUE"}`, `"operationName":"A","variables":{"t":"USER"}`,
			`"operationName":"B","variables":{"o":"R_kgDNIyk"}`, `"operationName":"B"`, `"operationName":"C"`, `"variables":{}`,
		} {
			text := []byte(strings.TrimSuffix(string(body(query, "")), "}") + "," + rest + "}")
			want, wantErr := Read(text)
			if got, err := c.Read(text); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(err, wantErr) {
				t.Errorf("%s: %+v, %v, want %+v, %v", rest, got, err, want, wantErr)
			}
		}
	}
	if c.texts.Len() != 1 {
		t.Errorf("%d documents kept", c.texts.Len())
	}
}

func TestCacheKeepsTheSecondTime(t *testing.T) {
	c := NewCache()
	text := body(`{viewer{login}}`, "")
	for i, want := range []int{0, 1, 1} {
		if _, err := c.Read(text); err != nil || c.texts.Len() != want {
			t.Errorf("time %d: %d documents, %v, want %d", i+1, c.texts.Len(), err, want)
		}
	}
	for range 3 { // what is no document, and what is too long
		c.Read(body(`{viewer{`, ""))
		c.Read(body(`{viewer{login}}`+strings.Repeat(" ", maxOf), ""))
	}
	if c.texts.Len() != 1 {
		t.Errorf("%d documents", c.texts.Len())
	}
}

// TestCacheIsBounded sends each of many documents twice.
func TestCacheIsBounded(t *testing.T) {
	c := NewCache()
	send := func(format string, n int) {
		for i := range n {
			for range 2 {
				if _, err := c.Read(body(fmt.Sprintf(format, i), "")); err != nil {
					t.Fatal(err)
				}
			}
			if c.weight > maxWeight || c.texts.Len() > maxTexts {
				t.Fatalf("%d bytes, %d documents", c.weight, c.texts.Len())
			}
		}
	}
	send(`{a%d}`, maxTexts+10)
	if c.texts.Len() != maxTexts {
		t.Errorf("%d documents, want %d", c.texts.Len(), maxTexts)
	}
	long := `{` + strings.Repeat("a ", 2000)
	send(long+`b%d}`, maxWeight/weigh(long)+10)
	if c.texts.Len() < 10 || c.texts.Len() > maxWeight/weigh(long) {
		t.Errorf("%d large documents", c.texts.Len())
	}
	sum := 0
	for _, e := range c.texts.Values() {
		sum += e.weight
	}
	if sum != c.weight {
		t.Errorf("weight %d, and that of all documents is %d", c.weight, sum)
	}
}

// TestWeight: no document takes more than it is taken to.
func TestWeight(t *testing.T) {
	documents := map[string]string{
		"fields": `{` + strings.Repeat("a ", 5000) + `}`, "aliases": `{` + strings.Repeat("a:b ", 3000) + `}`, "sets": strings.Repeat("{a", 90) + strings.Repeat("}", 90),
		"list": `{a(b:[` + strings.Repeat("A ", 5000) + `])}`, "numbers": `{a(b:[` + strings.Repeat("1,", 5000) + `])}`, "variables": `{a(b:[` + strings.Repeat("$a ", 5000) + `])}`,
		"strings": `{a(b:[` + strings.Repeat(`"",`, 2500) + `])}`, "objects": `{a(b:[` + strings.Repeat("{}", 2500) + `])}`, "members": `{a(b:{` + strings.Repeat("a:1 ", 2500) + `})}`,
		"arguments": `{` + strings.Repeat("a(b:1)", 2000) + `}`, "directives": `{a ` + strings.Repeat("@a", 3000) + `}`, "spreads": `{` + strings.Repeat("...a ", 3000) + `}`,
		"inline": `{` + strings.Repeat("...{a}", 2000) + `}`, "fragments": `{a}` + manyOf("fragment f%d on A{a}", 2000), "operations": manyOf("query a%d{a}", 2500),
		"definitions": `query(` + manyOf("$a%d:A ", 2500) + `){a}`, "comments": `{` + strings.Repeat("#\na ", 2500) + `}`, "one comment": `{a #` + strings.Repeat("x", 20_000) + "\n}",
		"one string": `{a(b:"` + strings.Repeat("x", 20_000) + `")}`, "escapes": `{a(b:"` + strings.Repeat(`\n`, 10_000) + `")}`, "block": `{a(b:"""` + strings.Repeat("\n", 10_000) + `""")}`,
	}
	files, err := filepath.Glob("testdata/requests/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := readRequest(b)
		if err != nil {
			t.Fatal(err)
		}
		documents[file] = asked.query
	}
	for name, query := range documents {
		const copies = 20
		kept := make([]*text, copies)
		before := heap()
		for i := range kept {
			var err error
			if kept[i], err = parse(strings.Clone(query)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		took := (heap() - before) / copies
		runtime.KeepAlive(kept)
		if most := weigh(query); took > most {
			t.Errorf("%s: a document of %d bytes takes %d, weighs %d", name, len(query), took, most)
		}
	}
}

func manyOf(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestCacheTogether reads the same documents in many goroutines.
func TestCacheTogether(t *testing.T) {
	c := NewCache()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				owner := fmt.Sprintf("o%d-%d", i, n)
				doc, err := c.Read(body(`query($o:String!){...F} fragment F on Query{organization(login:$o){id}}`, fmt.Sprintf(`{"o":%q}`, owner)))
				if err != nil || brief(doc.Subjects...) != owner {
					t.Error(errors.Join(err, errors.New(brief(doc.Subjects...)+" instead of "+owner)))
					return
				}
			}
		})
	}
	all.Wait()
}

// TestReadAllocates: what a document that was parsed before still takes.
func TestReadAllocates(t *testing.T) {
	for name, most := range map[string]float64{"gh-repo-view": 16, "gh-pr-list": 27, "gh-pr-status": 33} {
		text, err := os.ReadFile("testdata/requests/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		c := NewCache()
		c.Read(text)
		if got := testing.AllocsPerRun(100, func() { c.Read(text) }); got > most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, most)
		}
	}
}
