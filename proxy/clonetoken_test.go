package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCloneTokenFilter(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{`{"id":1,"temp_clone_token":"AB3XYZ","name":"w"}`, `{"id":1,"temp_clone_token":"","name":"w"}`},
		{`{"temp_clone_token" : ` + "\r\n\t" + `"A\"B\\"}`, `{"temp_clone_token" : ` + "\r\n\t" + `""}`},
		{`[{"a":{"temp_clone_token":"A"}},{"temp_clone_token":"B"}]`, `[{"a":{"temp_clone_token":""}},{"temp_clone_token":""}]`},
		{`{"temp_clone_token":null,"x":"temp_clone_token","y":"z"}`, `{"temp_clone_token":null,"x":"temp_clone_token","y":"z"}`},
		{`["temp_clone_token","A"]`, `["temp_clone_token","A"]`},
		{`{"body":"\"temp_clone_token\":\"A\"","b\\":"c"}`, `{"body":"\"temp_clone_token\":\"A\"","b\\":"c"}`},
		{`{"temp_clone_tokens":"A","xtemp_clone_token":"B","temp_clone_toke":"C"}`, `{"temp_clone_tokens":"A","xtemp_clone_token":"B","temp_clone_toke":"C"}`},
		{`{"temp_clone_token":["A"]}`, `{"temp_clone_token":["A"]}`}, // no string: nothing of GitHub's
		{`{"temp_clone_token":"never ends`, `{"temp_clone_token":"`},
		{`{"temp_clone_token""temp_clone_token":"A"}`, `{"temp_clone_token""temp_clone_token":""}`},
		{`{"temp_clone_\u0074oken":"A"}`, `{"temp_clone_\u0074oken":""}`},
		{`{"\u0074\u0065mp\u005Fclone\u005ftoke\u006E":"A"}`, `{"\u0074\u0065mp\u005Fclone\u005ftoke\u006E":""}`},
		{`{"temp_clone_\u1074oken":"A","temp_clone_\u007":"B","\temp_clone_token":"C"}`, `{"temp_clone_\u1074oken":"A","temp_clone_\u007":"B","\temp_clone_token":"C"}`},
		{`{"\u00`, `{"\u00`},
		{`{"a\`, `{"a\`},
		{``, ``},
		{`plain "text`, `plain "text`},
	} {
		for name, reader := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "one octet": iotest.OneByteReader, "halves": iotest.HalfReader, "with EOF": iotest.DataErrReader,
		} {
			f := &cloneTokenFilter{ReadCloser: io.NopCloser(reader(strings.NewReader(test.in)))}
			got, err := io.ReadAll(f)
			if err != nil || string(got) != test.want {
				t.Errorf("%s, %s: %s, %v, want %s", test.in, name, got, err, test.want)
			}
		}
	}
}

func TestIsPlain(t *testing.T) {
	for coding, want := range map[string]bool{
		"identity": true, "Identity": true, "": true, " ,\tIDENTITY ,": true, "gzip": false, "identity, gzip": false, "identity;q=1": false,
	} {
		if got := isPlain(http.Header{"Content-Encoding": {"identity", coding}}); got != want {
			t.Errorf("isPlain(%q) = %v, want %v", coding, got, want)
		}
	}
}

func FuzzCloneTokenFilter(f *testing.F) {
	f.Add([]byte(`{"temp_clone_token":"A","b":["c\"",1]}`), 3)
	f.Add([]byte(`{"temp_clone_\u0074oken":"A"}`), 17)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var whole, parts cloneTokenFilter
		once := bytes.Clone(text)
		once = once[:whole.filter(once)]
		cut = min(max(cut, 0), len(text))
		first, second := bytes.Clone(text[:cut]), bytes.Clone(text[cut:])
		twice := append(first[:parts.filter(first)], second[:parts.filter(second)]...)
		if !bytes.Equal(once, twice) {
			t.Errorf("%q cut at %d: %q, in one piece %q", text, cut, twice, once)
		}
		var again cloneTokenFilter
		clean := bytes.Clone(once)
		if clean = clean[:again.filter(clean)]; !bytes.Equal(clean, once) {
			t.Errorf("%q: filtered twice %q, once %q", text, clean, once)
		}
	})
}

func BenchmarkCloneTokenFilter(b *testing.B) {
	text := []byte(strings.Repeat(`{"id":12345,"name":"widgets","full_name":"acme/widgets","temp_clone_token":"AB3XYZAB3XYZ","description":"a repository of widgets"},`, 250))
	buf := make([]byte, len(text))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, text)
		var f cloneTokenFilter
		f.filter(buf)
	}
}
