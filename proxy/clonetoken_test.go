package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
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

// TestBlankShortAnswers: a short answer has a length again; one that breaks off, or is
// long, has none.
func TestBlankShortAnswers(t *testing.T) {
	const text = `{"temp_clone_token":"AB3XYZ","name":"w"}`
	const want = `{"temp_clone_token":"","name":"w"}`
	broken := errors.New("broken off")
	long := strings.Repeat(" ", maxFilteredWhole)
	for what, test := range map[string]struct {
		body   io.Reader
		length int64
		want   string
		known  bool
		err    error
	}{
		"short":              {strings.NewReader(text), int64(len(text)), want, true, nil},
		"by octets":          {iotest.OneByteReader(strings.NewReader(text)), int64(len(text)), want, true, nil},
		"the longest":        {strings.NewReader(long), maxFilteredWhole, long, true, nil},
		"long":               {strings.NewReader(long + "x"), maxFilteredWhole + 1, long + "x", false, nil},
		"of no length":       {strings.NewReader(text), -1, want, false, nil},
		"breaks off":         {io.MultiReader(strings.NewReader(text[:25]), iotest.ErrReader(broken)), int64(len(text)), text[:21], false, broken},
		"ends early":         {strings.NewReader(text[:25]), int64(len(text)), text[:21], false, io.ErrUnexpectedEOF},
		"a fault at its end": {io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), int64(len(text)), want, false, broken},
	} {
		resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Length": {"x"}, "Etag": {"x"}}, ContentLength: test.length, Body: io.NopCloser(test.body), Request: &http.Request{Method: "GET"}}
		if err := blankCloneTokens(resp); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %.100q, %v, want %.100q, %v", what, got, err, test.want, test.err)
		}
		length, header := int64(-1), ""
		if test.known {
			length, header = int64(len(test.want)), strconv.Itoa(len(test.want))
		}
		if resp.ContentLength != length || resp.Header.Get("Content-Length") != header || resp.Header.Get("Etag") != "" {
			t.Errorf("%s: %d, %v, want %d", what, resp.ContentLength, resp.Header, length)
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
		var plain cloneTokenFilter
		var each []byte
		for _, c := range text {
			if plain.passes(c) {
				each = append(each, c)
			}
		}
		if !bytes.Equal(once, each) {
			t.Errorf("%q: %q, octet by octet %q", text, once, each)
		}
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
