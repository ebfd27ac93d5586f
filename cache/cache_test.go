package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// tagFor is an ETag by the formula, written by itself.
func tagFor(body string, prefix ...string) string {
	text := strings.Join(append(prefix, ""), ":") + body
	sum := sha256.Sum256([]byte(text))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func requestFor(t testing.TB, target, authorization string, fields ...string) (*http.Request, Question) {
	t.Helper()
	req, err := http.NewRequest("GET", "https://api.github.com"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	q, ok := QuestionOf(req, "api.github.com", target, Who{Kind: "installation", App: 1, Installation: 2})
	if !ok {
		t.Fatal("no question")
	}
	return req, q
}

func answerWith(body, etag string, fields ...string) *http.Response {
	resp := &http.Response{StatusCode: 200, Header: http.Header{"Etag": {etag}, "Vary": {"Accept, Authorization"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	for i := 0; i < len(fields); i += 2 {
		resp.Header.Set(fields[i], fields[i+1])
	}
	return resp
}

// fetch has an answer pass through the Cache.
func fetch(t testing.TB, c *Cache, q *Question, req *http.Request, resp *http.Response, viewer uint64) {
	t.Helper()
	body := c.Fill(q, req, resp, viewer, nil)
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Fatal(err)
	}
	body.Close()
}

// TestFormula holds the formula against ETags that were computed by other means.
func TestFormula(t *testing.T) {
	c := New(1 << 20)
	req, q := requestFor(t, "/a", "Bearer t", "Accept", "*/*")
	fetch(t, c, &q, req, answerWith("{}", tagFor("{}", "*/*", "Bearer t")), 1)
	kept := c.Find(&q, req.Header, 1, nil)
	if kept == nil {
		t.Fatal("nothing is kept")
	}
	defer kept.Release()
	for _, token := range []string{"Bearer t", "Bearer another", "token x", ""} {
		prefix := []string{"*/*"}
		if token != "" {
			prefix = append(prefix, token)
		}
		if got, ok := kept.ETag(token); !ok || got != tagFor("{}", prefix...) {
			t.Errorf("the ETag for %q is %s, %v", token, got, ok)
		}
	}
}

// TestViews: where GitHub gives several answers to a question, each viewer's is found, and a change that one
// has seen is the others' too.
func TestViews(t *testing.T) {
	c := New(1 << 20)
	tagOf := func(viewer uint64, body string) (string, *http.Request, Question) {
		token := fmt.Sprint("Bearer ", viewer)
		req, q := requestFor(t, "/a", token)
		return tagFor(body, token), req, q
	}
	give := func(viewer uint64, body string) {
		tag, req, q := tagOf(viewer, body)
		fetch(t, c, &q, req, answerWith(body, tag), viewer)
	}
	offers := func(viewer uint64) string {
		_, req, q := tagOf(viewer, "")
		a := c.Find(&q, req.Header, viewer, nil)
		if a == nil {
			return ""
		}
		defer a.Release()
		body, _ := io.ReadAll(a.Body())
		return string(body)
	}
	give(1, "one")
	if got := offers(2); got != "one" {
		t.Errorf("2 is offered %q, want what there is", got)
	}
	give(2, "two")
	if a, b := offers(1), offers(2); a != "one" || b != "two" {
		t.Errorf("1 and 2 are offered %q and %q, want their own", a, b)
	}
	// 1 and 3 see the same.
	_, req, q := tagOf(3, "")
	one := c.Find(&q, req.Header, 1, nil)
	one.Touch(3)
	one.Release()
	give(1, "one more")
	if a, b := offers(1), offers(3); a != "one more" || b != "one more" {
		t.Errorf("1 and 3 are offered %q and %q, want what is new", a, b)
	}
	for viewer := uint64(10); viewer < 30; viewer++ {
		give(viewer, fmt.Sprint("view ", viewer))
	}
	if n := len(c.viewsOf(&q)); n != maxViews {
		t.Errorf("%d views, want %d", n, maxViews)
	}
}

// TestFreshen: what a 304 updates, and what it does not.
func TestFreshen(t *testing.T) {
	c := New(1 << 20)
	req, q := requestFor(t, "/a", "Bearer t")
	fetch(t, c, &q, req, answerWith("{}", tagFor("{}", "Bearer t"),
		"Content-Type", "application/json", "Content-Length", "2", "Link", "<a>", "Date", "then", "X-Ratelimit-Used", "1",
		"X-Oauth-Scopes", "repo", "Connection", "X-Hop", "X-Hop", "1", "Age", "3", "X-Github-Request-Id", "1"), 1)
	kept := c.Find(&q, req.Header, 1, nil)
	defer kept.Release()
	now := http.Header{
		"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}, "Content-Length": {"9"}, "Content-Range": {"x"},
		"Link": {"<b>", "<c>"}, "X-New": {"1"}, "Connection": {"close"},
	}
	want := "map[Connection:[close] Content-Length:[2] Content-Type:[application/json] Etag:[E] Link:[<b> <c>] Vary:[Accept, Authorization] X-New:[1]]"
	fresh := kept.Freshen(now, "E", 1)
	if got := fmt.Sprint(fresh); got != want {
		t.Errorf("fresh = %s\nwant    %s", got, want)
	}
	fresh["Link"][0], now["Link"][0] = "changed", "changed"
	want = "map[Content-Length:[2] Content-Type:[application/json] Etag:[E2] Link:[<b> <c>] Vary:[Accept, Authorization] X-New:[1]]"
	if got := fmt.Sprint(kept.Freshen(http.Header{"Etag": {"E2"}}, "E", 1)); got != want {
		t.Errorf("fresh = %s\nwant    %s", got, want)
	}
}

// TestVarySelects: an answer is not offered to who would select another.
func TestVarySelects(t *testing.T) {
	c := New(1 << 20)
	req, q := requestFor(t, "/a", "Bearer t", "X-Github-Otp", "1")
	resp := answerWith("{}", tagFor("{}", "Bearer t"), "Vary", "Accept,Authorization, X-GitHub-OTP")
	fetch(t, c, &q, req, resp, 1)
	for otp, want := range map[string]bool{"1": true, "2": false, "": false} {
		again, q := requestFor(t, "/a", "Bearer t")
		if otp != "" {
			again.Header.Set("X-Github-Otp", otp)
		}
		kept := c.Find(&q, again.Header, 1, nil)
		if (kept != nil) != want {
			t.Errorf("with X-GitHub-OTP %q: found %v, want %v", otp, kept != nil, want)
		}
		if kept != nil {
			kept.Release()
		}
	}
	for _, fields := range [][]string{{"Accept", "x"}, {"User-Agent", "x"}, {"Accept-Encoding", "gzip"}, {"X-Github-Api-Version", "2022-11-28"}} {
		_, other := requestFor(t, "/a", "Bearer t", fields...)
		if other == q {
			t.Errorf("with %v it is the same question", fields)
		}
	}
	other := q
	other.Installation++
	if c.Find(&other, req.Header, 1, nil) != nil {
		t.Error("another installation is offered the answer")
	}
}

// TestUnfitRequests: no question.
func TestUnfitRequests(t *testing.T) {
	for _, fields := range [][]string{
		{"Range", "bytes=0-1"}, {"If-Range", "x"}, {"If-Match", "x"}, {"If-Unmodified-Since", "x"}, {"Cookie", "a=b"},
		{"Cache-Control", "max-age=0, No-Store"}, {"Cache-Control", "only-if-cached"}, {"Accept", strings.Repeat("a", 2000)},
	} {
		req, _ := http.NewRequest("GET", "https://api.github.com/a", nil)
		req.Header.Set(fields[0], fields[1])
		if _, ok := QuestionOf(req, "h", "/a", Who{}); ok {
			t.Errorf("%v: a question", fields)
		}
	}
	req, _ := http.NewRequest("GET", "https://api.github.com/a", nil)
	req.Header["Accept"] = []string{"a", "b"}
	if _, ok := QuestionOf(req, "h", "/a", Who{}); ok {
		t.Error("two Accept: a question")
	}
	for _, method := range []string{"HEAD", "POST", "get"} {
		if _, ok := QuestionOf(&http.Request{Method: method, Header: http.Header{}}, "h", "/a", Who{}); ok {
			t.Errorf("%s: a question", method)
		}
	}
	if _, ok := QuestionOf(&http.Request{Method: "GET", Header: http.Header{}}, "h", "/"+strings.Repeat("a", 5000), Who{}); ok {
		t.Error("a long target: a question")
	}
}

// TestMemoryBound: answers of all sizes, of announced and of unknown length, read to the end or not, kept or in use: never
// more memory than the size says, neither as it is counted nor as the heap has it.
func TestMemoryBound(t *testing.T) {
	const size = 8 << 20
	random := rand.New(rand.NewPCG(1, 2))
	text := strings.Repeat("0123456789abcdef", 64<<10)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	c := New(size)
	before := heap()
	var open []io.ReadCloser
	check := func(i int) {
		if used := c.Stats().Used; used < 0 || used > size {
			t.Fatalf("after %d answers: %d bytes are used", i, used)
		}
	}
	for i := range 6000 {
		n := random.IntN(1 << (4 + random.IntN(16)))
		body := text[:n]
		target := fmt.Sprintf("/%d?%s", random.IntN(2000), text[:random.IntN(1000)])
		req, q := requestFor(t, target, "Bearer t")
		resp := answerWith(body, tagFor(body, "Bearer t"), "X-Long", text[:random.IntN(4000)])
		if random.IntN(2) == 0 {
			resp.ContentLength = -1
		}
		filled := c.Fill(&q, req, resp, random.Uint64N(8), nil)
		check(i)
		switch random.IntN(10) {
		case 0:
			_, _ = io.CopyN(io.Discard, filled, int64(n/2))
			open = append(open, filled)
		case 1:
			_, _ = io.CopyN(io.Discard, filled, int64(n/2))
			filled.Close()
		default:
			_, _ = io.Copy(io.Discard, filled)
			filled.Close()
		}
		check(i)
		if kept := c.Find(&q, req.Header, 1, nil); kept != nil {
			_, _ = kept.ETag(fmt.Sprint("Bearer ", random.IntN(9)))
			kept.Freshen(http.Header{"X-New": {fmt.Sprint(i)}}, "x", random.Uint64N(1000))
			if random.IntN(4) == 0 {
				open = append(open, kept.Body())
			}
			kept.Release()
		}
		if len(open) > 40 {
			open[0].Close()
			open = open[1:]
		}
		if i%1500 == 1499 {
			if grown := int64(heap()) - int64(before); grown > size*5/4+1<<20 {
				t.Errorf("after %d answers the heap is larger by %d bytes, of %d that are counted", i, grown, c.Stats().Used)
			}
		}
	}
	if s := c.Stats(); s.Evicted == 0 || s.Used < size/2 {
		t.Errorf("the bound was not met: %+v", s)
	}
	for _, body := range open {
		body.Close()
	}
	if c.Resize(0); c.Stats().Used != 0 {
		t.Errorf("%d bytes are used of nothing", c.Stats().Used)
	}
	runtime.KeepAlive(text)
}

// TestSqueeze: a text that was printed for people is what it was before, whatever parts it comes in.
func TestSqueeze(t *testing.T) {
	const pretty, want = "{\n  \"a b\": [\n    1,\n    \"\\\" \\\\\"\n  ],\t\"c\": {}\r\n}\n", `{"a b":[1,"\" \\"],"c":{}}`
	for cut := range len(pretty) {
		var s squeezer
		got := append([]byte(nil), s.squeeze([]byte(pretty[:cut]))...)
		if got = append(got, s.squeeze([]byte(pretty[cut:]))...); string(got) != want {
			t.Errorf("cut at %d: %s", cut, got)
		}
	}
}

// TestSearch finds signs across parts.
func TestSearch(t *testing.T) {
	for text, want := range map[string]bool{
		`"download_url":"https://raw.githubusercontent.com/a/b?token=X"`: true, `"temp_clone_token" : "X"`: true, `"temp_clone_token":""`: false,
		`"temp_clone_token":null`: false, `"a":"b"`: false, `SECRET`: true, `https://x/?a=b\u0026sig=X`: true, `"temp_clone_token":"","temp_clone_token":"X"`: true,
	} {
		text = strings.Repeat(" ", 300) + text + strings.Repeat(" ", 300)
		for cut := 200; cut < 420; cut++ {
			s := searcher{secret: []byte("SECRET")}
			s.look([]byte(text[:cut]))
			for rest := range strings.SplitSeq(text[cut:], "q") {
				s.look([]byte(rest))
			}
			if s.found != want {
				t.Errorf("%s, cut at %d: %v, want %v", strings.TrimSpace(text), cut, s.found, want)
				break
			}
		}
		s := searcher{secret: []byte("SECRET")}
		for i := range len(text) {
			s.look([]byte(text[i : i+1]))
		}
		if s.found != want {
			t.Errorf("%s, octet by octet: %v, want %v", strings.TrimSpace(text), s.found, want)
		}
	}
}

func FuzzConditions(f *testing.F) {
	f.Add(`W/"a", "b"`)
	f.Add(`"` + strings.Repeat("a", 64) + `"`)
	f.Fuzz(func(t *testing.T, value string) {
		list, ok := Conditions(http.Header{"If-None-Match": {value}})
		if !ok && list != nil || len(list) > maxConditions {
			t.Errorf("Conditions(%q) = %v, %v", value, list, ok)
		}
		for _, c := range list {
			if !strings.Contains(value, c.Text) || c.ours && c.tag.field(strings.HasPrefix(c.Text, "W/")) != c.Text {
				t.Errorf("Conditions(%q) has %q", value, c.Text)
			}
		}
	})
}

func FuzzSqueeze(f *testing.F) {
	f.Add([]byte("{\n \"a\": 1}"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var whole, parts squeezer
		want := append([]byte(nil), whole.squeeze(bytes.Clone(text))...)
		cut = min(max(cut, 0), len(text))
		got := append([]byte(nil), parts.squeeze(bytes.Clone(text[:cut]))...)
		if got = append(got, parts.squeeze(bytes.Clone(text[cut:]))...); !bytes.Equal(got, want) {
			t.Errorf("%q in parts: %q, want %q", text, got, want)
		}
	})
}

// TestFormulaFollowsVary: only what Vary names is in an ETag.
func TestFormulaFollowsVary(t *testing.T) {
	for vary, prefix := range map[string][]string{
		"Accept, Authorization": {"*/*", "Bearer t"}, "Accept": {"*/*"}, "authorization": {"Bearer t"}, "X-Other": nil, "": nil,
	} {
		c := New(1 << 20)
		req, q := requestFor(t, "/a", "Bearer t", "Accept", "*/*")
		tag := tagFor("{}", prefix...)
		if len(prefix) == 0 {
			sum := sha256.Sum256([]byte("{}"))
			tag = `"` + hex.EncodeToString(sum[:]) + `"`
		}
		fetch(t, c, &q, req, answerWith("{}", tag, "Vary", vary), 1)
		kept := c.Find(&q, req.Header, 1, nil)
		if got, ok := kept.ETag("Bearer t"); !ok || got != tag {
			t.Errorf("with Vary: %s it is %s, %v, want %s", vary, got, ok, tag)
		}
		kept.Release()
	}
}

// TestIncomplete: of a body that is shorter than was announced nothing is kept.
func TestIncomplete(t *testing.T) {
	c := New(1 << 20)
	req, q := requestFor(t, "/a", "Bearer t")
	resp := answerWith("{}", tagFor("{}", "Bearer t"))
	resp.ContentLength = 3
	fetch(t, c, &q, req, resp, 1)
	if s := c.Stats(); s.Answers != 0 || s.Used != 0 {
		t.Errorf("%+v", s)
	}
}

// TestUnverified: an answer with another ETag than is computed, or with the credential in it, is of no use.
func TestUnverified(t *testing.T) {
	for body, tag := range map[string]string{"{}": tagFor("[]", "Bearer secret"), "[secret]": tagFor("[secret]", "Bearer secret")} {
		c := New(1 << 20)
		req, q := requestFor(t, "/a", "Bearer secret")
		fetch(t, c, &q, req, answerWith(body, tag), 1)
		kept := c.Find(&q, req.Header, 1, nil)
		for _, token := range []string{"Bearer secret", "Bearer other"} {
			if got, ok := kept.ETag(token); ok {
				t.Errorf("%s: its ETag is %s", body, got)
			}
		}
		kept.Release()
		if kept.asked != "" {
			t.Errorf("%s: the credential is remembered", body)
		}
		// That a secret is in it says nothing of GitHub's ways.
		if s := c.Stats(); s.Answers != 0 || s.Used != 0 || s.Doubted != map[bool]uint64{true: 1}[body == "{}"] {
			t.Errorf("%s: %+v", body, s)
		}
	}
}
