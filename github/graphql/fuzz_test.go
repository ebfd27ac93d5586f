package graphql

import (
	"os"
	"path/filepath"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/strictjson"
)

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/requests/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(body(fragmentChain(3, 3), ""))
	f.Add(body(`query A($o:String="acme"){...F} fragment F on Query{repository(owner:$o,name:"""w"""){id}}`, `{"o":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := readEachWay(t, b)
		if err != nil {
			if len(err.Error()) > 300 || doc.Subjects != nil || doc.Fields != nil {
				t.Errorf("%+v, %v", doc, err)
			}
			return
		}
		if len(doc.Subjects) > github.MaxSubjects || len(doc.Fields) == 0 || (doc.Source != "") != (len(doc.Subjects) > 0) {
			t.Errorf("%+v", doc)
		}
		for i, s := range doc.Subjects {
			hint := s == github.Account{RepositoryID: s.RepositoryID, AccountID: s.AccountID}
			if !s.Named() || hint == (s.Login != "") || s.Login != "" && !github.IsLogin(s.Login) || s.Repo != "" && !github.IsRepositoryName(s.Repo) {
				t.Errorf("subject %+v", s)
			}
			for _, other := range doc.Subjects[:i] {
				if s.Same(other) {
					t.Errorf("%+v twice", s)
				}
			}
		}
	})
}

// FuzzDocument mutates the document alone, which gets further.
func FuzzDocument(f *testing.F) {
	f.Add(`query A($o:String="acme"){...F@skip(if:true)} fragment F on Query{repository(owner:$o,name:"""w"""){id}}`, "acme")
	f.Add(`mutation($i:X!){x(input:$i){id}} subscription B{a}`, "R_kgDNIyk")
	f.Add(`{organization(login:"a"){repository(name:"b"){id} ...on O{c(id:["R_kgDNIyk",{d:E}])}}}`, "")
	f.Fuzz(func(t *testing.T, query, value string) {
		doc, err := readEachWay(t, body(query, `{"o":`+string(body(value, ""))[len(`{"query":`):len(body(value, ""))-1]+`}`))
		if err == nil && len(doc.Fields) == 0 {
			t.Errorf("%q runs nothing", query)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"gh-repo-view", "gh-pr-list", "gh-pr-status", "gh-issue-create"} {
		text, err := os.ReadFile("testdata/requests/" + name + ".json")
		if err != nil {
			b.Fatal(err)
		}
		for kind, read := range map[string]func([]byte) (Document, error){"": Read, "/again": NewCache().Read} {
			b.Run(name+kind, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if _, err := read(text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkReadWorst shows what the limits amount to.
func BenchmarkReadWorst(b *testing.B) {
	variables := []byte(`{"v":["x"`)
	for range strictjson.MaxValues - 10 {
		variables = append(variables, `,"x"`...)
	}
	query := `query($v:[ID]){`
	for range (maxTokens - 20) / 4 {
		query += "a{b}"
	}
	text := body(query+` d(id:$v)}`, string(append(variables, "]}"...)))
	b.ReportAllocs()
	for b.Loop() {
		Read(text)
	}
}
