package cache

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// keeps has an answer kept, and returns it; nil if it is not.
func keeps(t *testing.T, c *Cache, target, token, body string, change ...func(*http.Response)) *Answer {
	t.Helper()
	req, q := requestFor(t, target, token)
	resp := answerWith(body, tagFor(body, token))
	for _, f := range change {
		f(resp)
	}
	fetch(t, c, &q, req, resp, 1)
	return finds(t, c, target, token, 1)
}

// finds returns what is kept, which is not in use then.
func finds(t *testing.T, c *Cache, target, token string, viewer uint64) *Answer {
	t.Helper()
	req, q := requestFor(t, target, token)
	a := c.Find(&q, req.Header, viewer, nil)
	if a != nil {
		a.Release()
	}
	return a
}

// TestUnfitAnswers: what is not kept, of which nothing counts, and whose body is GitHub's own.
func TestUnfitAnswers(t *testing.T) {
	const token = "Bearer t"
	head := func(name string, values ...string) func(*http.Response) {
		return func(r *http.Response) { r.Header[name] = values }
	}
	many := make([]func(*http.Response), 0, maxFields)
	for i := range maxFields {
		many = append(many, head(fmt.Sprintf("X-%d", i), "1"))
	}
	for name, change := range map[string]func(*http.Response){
		"404":             func(r *http.Response) { r.StatusCode = 404 },
		"206":             func(r *http.Response) { r.StatusCode = 206 },
		"no ETag":         func(r *http.Response) { delete(r.Header, "Etag") },
		"two ETags":       head("Etag", tagFor("{}", token), tagFor("{}", token)),
		"a short ETag":    head("Etag", `"abc"`),
		"a loud ETag":     head("Etag", strings.ToUpper(tagFor("{}", token))),
		"no hex":          head("Etag", `"`+strings.Repeat("g", 64)+`"`),
		"no quote at all": head("Etag", strings.Repeat("a", 66)),
		"no first quote":  head("Etag", "a"+tagFor("{}", token)[1:]),
		"no last quote":   head("Etag", tagFor("{}", token)[:65]+"a"),
		"Set-Cookie":      head("Set-Cookie", "a=b"),
		"Content-Range":   head("Content-Range", "bytes 0-1/2"),
		"no-store":        head("Cache-Control", "private, no-store"),
		"no-store of two": head("Cache-Control", "private", "max-age=1, NO-STORE"),
		"Vary: *":         head("Vary", "*"),
		"br":              head("Content-Encoding", "br"),
		"two codings":     head("Content-Encoding", "gzip", "gzip"),
		"a long head":     head("X-Long", strings.Repeat("a", maxHead)),
		"many fields": func(r *http.Response) {
			for _, f := range many {
				f(r)
			}
		},
		"a trailer":   func(r *http.Response) { r.Trailer = http.Header{"X": nil} },
		"no body":     func(r *http.Response) { r.Body = http.NoBody },
		"a long body": func(r *http.Response) { r.ContentLength = 1<<20/maxShare + 1 },
		"longer than told": func(r *http.Response) {
			r.ContentLength = -1
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat("a", 1<<20/maxShare+1)))
		},
	} {
		c := New(1 << 20)
		req, q := requestFor(t, "/a", token)
		resp := answerWith("{}", tagFor("{}", token))
		change(resp)
		body := resp.Body
		filled := c.Fill(&q, req, resp, 1, nil)
		if filled != body && name != "longer than told" {
			t.Errorf("%s: it is on its way to be kept", name)
		}
		_, _ = io.Copy(io.Discard, filled)
		filled.Close()
		if s := c.Stats(); s.Answers != 0 || s.Used != 0 || s.Kept != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for name, change := range map[string]func(*http.Response){
		"as it is":       func(*http.Response) {},
		"a weak one":     func(r *http.Response) { r.Header.Set("Etag", "W/"+r.Header.Get("Etag")) },
		"identity":       head("Content-Encoding", "identity"),
		"unknown length": func(r *http.Response) { r.ContentLength = -1 },
		"just as long": func(r *http.Response) {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat("a", 1<<20/maxShare)))
			r.ContentLength = 1 << 20 / maxShare
		},
		"all fields": func(r *http.Response) {
			for _, f := range many[:maxFields-2] {
				f(r)
			}
		},
		"all of a head": head("X-Long", strings.Repeat("a", maxHead-len("X-Long")-len("Etag")-66-len("Vary")-len("Accept, Authorization"))),
	} {
		c := New(1 << 20)
		if a := keeps(t, c, "/a", token, "{}", change); a == nil {
			t.Errorf("%s: it is not kept", name)
		} else if s := c.Stats(); s.Answers != 1 || s.Kept != 1 || s.Used != a.cost+c.spare.bytes {
			t.Errorf("%s: %+v, it costs %d", name, s, a.cost)
		}
	}
}

// TestHalfRead: of a body that was not read to its end nothing is kept, unless only the end was not read.
func TestHalfRead(t *testing.T) {
	for read, want := range map[int]int{0: 0, 1: 0, 9: 0, 10: 1} {
		c := New(1 << 20)
		req, q := requestFor(t, "/a", "Bearer t")
		body := c.Fill(&q, req, answerWith("0123456789", tagFor("0123456789", "Bearer t")), 1, nil)
		_, _ = io.ReadFull(body, make([]byte, read))
		body.Close()
		body.Close()
		if s := c.Stats(); s.Answers != want || want == 0 && s.Used != 0 {
			t.Errorf("%d octets read: %+v", read, s)
		}
	}
	c := New(1 << 20)
	req, q := requestFor(t, "/a", "Bearer t")
	resp := answerWith("0123456789", tagFor("0123456789", "Bearer t"))
	resp.Body = &broken{Reader: strings.NewReader("0123456789"), err: io.ErrUnexpectedEOF}
	body := c.Fill(&q, req, resp, 1, nil)
	if _, err := io.Copy(io.Discard, body); err != io.ErrUnexpectedEOF || c.Stats().Used != 0 {
		t.Errorf("of one that breaks off: %v, %+v", err, c.Stats())
	}
	resp = answerWith("0123456789", tagFor("0123456789", "Bearer t"))
	body = c.Fill(&q, req, resp, 1, nil)
	resp.Trailer = http.Header{"X": {"1"}} // which came with the end
	_, _ = io.Copy(io.Discard, body)
	if s := c.Stats(); s.Answers != 0 || s.Used != 0 {
		t.Errorf("of one with a trailer: %+v", s)
	}
}

// TestParts: in whatever parts a body comes, it is the one that is given again, and takes about as much memory as it is long.
func TestParts(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 4<<10)
	for _, part := range []int{1, 100, 1000, smallChunk - 1, smallChunk, smallChunk + 1, 30_000, len(text)} {
		for _, length := range []int64{-1, int64(len(text))} {
			c := New(2 << 20)
			req, q := requestFor(t, "/a", "Bearer t")
			resp := answerWith(text, tagFor(text, "Bearer t"))
			resp.ContentLength = length
			body := c.Fill(&q, req, resp, 1, nil)
			for buf, err := make([]byte, part), error(nil); err == nil; {
				_, err = body.Read(buf)
			}
			body.Close()
			a := finds(t, c, "/a", "Bearer t", 1)
			again, _ := io.ReadAll(a.Body())
			if string(again) != text || a.Length() != int64(len(text)) {
				t.Errorf("in parts of %d: %d octets are given again, of %d", part, len(again), a.Length())
			}
			if len(a.body) > len(text)/smallChunk+1 {
				t.Errorf("in parts of %d: %d chunks", part, len(a.body))
			}
			capacity := 0
			for _, chunk := range a.body {
				capacity += cap(chunk)
			}
			fixed := costOf(len(a.asks)+len(a.header), len(a.header.fields(nil)), &a.selects)
			if counted := a.cost - fixed; int64(capacity) > counted+counted/8 || counted > int64(len(text))*9/8 {
				t.Errorf("in parts of %d: %d octets of memory, %d count, of %d", part, capacity, counted, len(text))
			}
		}
	}
}

// TestLeastRecentlyUsed: what was used least recently goes first; what is in use counts until it is not.
func TestLeastRecentlyUsed(t *testing.T) {
	c := New(1 << 20)
	body := strings.Repeat("a", 60<<10)
	for i := range 12 {
		keeps(t, c, fmt.Sprint("/", i), "Bearer t", body)
	}
	is := func(i int) bool { return finds(t, c, fmt.Sprint("/", i), "Bearer t", 1) != nil }
	if s := c.Stats(); s.Answers != 12 || s.Evicted != 0 {
		t.Fatalf("%+v", s)
	}
	finds(t, c, "/0", "Bearer t", 1).Touch(2)
	held := finds(t, c, "/1", "Bearer t", 1).Body()
	for i := 12; i < 20; i++ {
		keeps(t, c, fmt.Sprint("/", i), "Bearer t", body)
	}
	s := c.Stats()
	if !is(0) || is(1) || is(2) || !is(19) || s.Evicted != uint64(20-s.Answers) {
		t.Errorf("0: %v, 1: %v, 2: %v, 19: %v; %+v", is(0), is(1), is(2), is(19), s)
	}
	cost := finds(t, c, "/19", "Bearer t", 1).cost
	if over := s.Used - int64(s.Answers)*cost; over < cost-100 || over > cost+100 {
		t.Errorf("%d bytes count besides what is kept, want the one in use of %d", over, cost)
	}
	if text, err := io.ReadAll(held); err != nil || string(text) != body {
		t.Errorf("what was in use has changed: %v", err)
	}
	held.Close()
	held.Close()
	if s := c.Stats(); s.Used-int64(s.Answers)*cost > 100 || s.Used-int64(s.Answers)*cost < -100 {
		t.Errorf("what is not in use any more counts: %+v", s)
	}
	held = finds(t, c, "/19", "Bearer t", 1).Body()
	twice := finds(t, c, "/19", "Bearer t", 1).Body()
	if c.Resize(0); c.Stats().Answers != 0 || c.Stats().Used < cost-100 || c.On() {
		t.Errorf("after it was turned off: %+v", c.Stats())
	}
	if keeps(t, c, "/a", "Bearer t", "{}") != nil {
		t.Error("it keeps answers while it is off")
	}
	held.Close()
	if s := c.Stats(); s.Used < cost-100 || len(c.views) != 0 {
		t.Errorf("what is in use counts nothing: %+v, %d questions", s, len(c.views))
	}
	twice.Close()
	if s := c.Stats(); s.Used != 0 {
		t.Errorf("of nothing: %+v", s)
	}
	if c.Resize(1 << 20); !c.On() || keeps(t, c, "/a", "Bearer t", "{}") == nil {
		t.Error("it does not go on")
	}
	if (*Cache)(nil).On() || (*Cache)(nil).Stats() != (Stats{}) {
		t.Error("no Cache keeps something")
	}
}

// TestTurnedOffMeanwhile: what was on its way when it was turned off is not kept.
func TestTurnedOffMeanwhile(t *testing.T) {
	c := New(1 << 20)
	req, q := requestFor(t, "/a", "Bearer t")
	body := c.Fill(&q, req, answerWith("{}", tagFor("{}", "Bearer t")), 1, nil)
	c.Resize(0)
	_, _ = io.Copy(io.Discard, body)
	if s := c.Stats(); s.Answers != 0 || s.Used != 0 {
		t.Errorf("%+v", s)
	}
	c.Resize(1 << 20)
	body = c.Fill(&q, req, answerWith("{}", tagFor("{}", "Bearer t")), 1, nil)
	_, _ = io.ReadFull(body, make([]byte, 2))
	c.Resize(0)
	body.Close() // when all had come
	if s := c.Stats(); s.Answers != 0 || s.Used != 0 {
		t.Errorf("%+v", s)
	}
}

// TestReserve: memory is there up to the last byte, and nothing is dropped for what there is not.
func TestReserve(t *testing.T) {
	c := New(1 << 20)
	a := keeps(t, c, "/a", "Bearer t", "{}")
	if c.reserve(1<<20+1) || c.Stats().Answers != 1 {
		t.Error("what was kept was dropped for more than all")
	}
	if !c.reserve(1<<20-a.cost) || c.Stats().Answers != 1 {
		t.Error("not all can be used")
	}
	if !c.reserve(1) || c.Stats().Answers != 0 || c.Stats().Used != 1<<20-a.cost+1+c.spare.bytes {
		t.Errorf("no room was made: %+v", c.Stats())
	}
	if !c.reserve(a.cost-1) || c.reserve(1) {
		t.Error("more than all can be used")
	}
	if got := New(1 << 30).bound(); got != maxAnswer {
		t.Errorf("of a gigabyte %d bytes may be one answer", got)
	}
}

// TestFillingKnows: what is known of a body is known of one that is being kept.
func TestFillingKnows(t *testing.T) {
	c := New(1 << 20)
	req, q := requestFor(t, "/a", "Bearer t")
	resp := answerWith("{}", tagFor("{}", "Bearer t"))
	if inner := c.Fill(&q, req, resp, 1, nil).(*filling).Inner(); inner != resp.Body {
		t.Errorf("it is around %v", inner)
	}
	if resp.Body = nil; c.Fill(&q, req, resp, 1, nil) != nil {
		t.Error("no body became one")
	}
}

// TestConfirmed: an answer that is kept already is not kept twice.
func TestConfirmed(t *testing.T) {
	c := New(1 << 20)
	a := keeps(t, c, "/a", "Bearer t", "{}")
	tag, _ := a.ETag("Bearer u")
	req, q := requestFor(t, "/a", "Bearer u")
	resp := answerWith("{}", tag)
	if body := c.Fill(&q, req, resp, 7, nil); body != resp.Body {
		t.Error("it is kept again")
	}
	if got := finds(t, c, "/a", "Bearer u", 7); got != a || !got.isOf(7) {
		t.Error("the one that is kept is not the viewer's")
	}
	if s := c.Stats(); s.Answers != 1 || s.Used != a.cost {
		t.Errorf("%+v", s)
	}
	again, q := requestFor(t, "/b", "Bearer t", "X-Y", "1")
	varied := func(r *http.Response) { r.Header.Set("Vary", "Authorization, X-Y") }
	b := keeps(t, c, "/b", "Bearer t", "{}", varied)
	if c.confirm(&q, b.received, again.Header, 1) {
		t.Error("what another would select is confirmed")
	}
	if c.confirm(&q, Tag{1}, req.Header, 1) {
		t.Error("another ETag is confirmed")
	}
}

// TestCodings: bodies that are compressed, or printed for people, have the ETag of what they were before.
func TestCodings(t *testing.T) {
	zip := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, text)
		z.Close()
		return b.String()
	}
	const plain, pretty = `{"a":[1,2]}`, "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n"
	for _, test := range []struct {
		name, sent, coding, of string
		weak, want             bool
	}{
		{"plain", plain, "", plain, false, true},
		{"weak", plain, "", plain, true, true},
		{"gzip", zip(plain), "gzip", plain, true, true},
		{"GZIP", zip(plain), "GZIP", plain, true, true},
		{"pretty", pretty, "", plain, false, true},
		{"a list", "[\n  1\n]", "", "[1]", false, true},
		{"pretty, as it was", pretty, "", pretty, false, true},
		{"pretty gzip", zip(pretty), "gzip", plain, true, true},
		{"no JSON", "a\n b", "", "ab", false, false},
		{"one line", `{ "a": 1}`, "", `{"a":1}`, false, false},
		{"one octet", "{", "", "x", false, false},
		{"no gzip", plain, "gzip", plain, true, false},
		{"half a gzip", zip(plain)[:20], "gzip", plain, true, false},
		{"a bomb", zip(strings.Repeat("a", maxPlain+1)), "gzip", strings.Repeat("a", maxPlain+1), true, false},
	} {
		c := New(8 << 20)
		tag := tagFor(test.of, "Bearer t")
		if test.weak {
			tag = "W/" + tag
		}
		a := keeps(t, c, "/a", "Bearer t", test.sent, func(r *http.Response) {
			r.Header.Set("Etag", tag)
			if test.coding != "" {
				r.Header.Set("Content-Encoding", test.coding)
			}
		})
		got, ok := a.ETag("Bearer t")
		if ok != test.want || ok && got != tag {
			t.Errorf("%s: %s, %v, want %s", test.name, got, ok, tag)
		}
		other := strings.Replace(tag, tagFor(test.of, "Bearer t"), tagFor(test.of, "Bearer u"), 1)
		if got, ok := a.ETag("Bearer u"); ok != test.want || ok && got != other {
			t.Errorf("%s: for another token: %s, %v, want %s", test.name, got, ok, other)
		}
		// What cannot be read, or has a secret in it, says nothing of GitHub's ways.
		readable := !strings.Contains(test.name, "gzip") && test.name != "a bomb" || test.name == "GZIP"
		if doubted := c.Stats().Doubted; doubted != map[bool]uint64{true: 1, false: 0}[!test.want && readable] {
			t.Errorf("%s: %d doubts", test.name, doubted)
		}
		if body, _ := io.ReadAll(a.Body()); string(body) != test.sent {
			t.Errorf("%s: the body is not what was sent", test.name)
		}
	}
}

// TestQuiet: where ETags are not what they should be again and again, nothing is kept for a minute, then for two and so on
// up to an hour; one that is as it should be ends that.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(1 << 20)
		serial := 0
		doubt := func() {
			t.Helper()
			serial++
			a := keeps(t, c, fmt.Sprint("/", serial), "Bearer t", "{}", func(r *http.Response) { r.Header.Set("Etag", tagFor("other", "Bearer t")) })
			if a == nil {
				t.Fatal("it is quiet")
			}
			if _, ok := a.ETag("Bearer t"); ok {
				t.Fatal("it is verified")
			}
		}
		good := keeps(t, c, "/good", "Bearer t", "{}")
		for range maxDoubts - 1 {
			doubt()
		}
		if s := c.Stats(); s.Quiet || s.Answers != 1 {
			t.Errorf("before there are so many: %+v", s)
		}
		if _, ok := good.ETag("Bearer t"); !ok {
			t.Error("the good one is not")
		}
		for range maxDoubts - 1 {
			doubt()
		}
		if c.Stats().Quiet {
			t.Error("a good one in between counts for nothing")
		}
		late := keeps(t, c, "/late", "Bearer t", "{}")
		doubt()
		for _, minutes := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			if s := c.Stats(); !s.Quiet || s.Answers != 0 || s.Used != 0 {
				t.Errorf("%+v", s)
			}
			if keeps(t, c, "/x", "Bearer t", "{}") != nil {
				t.Error("something is kept")
			}
			if _, ok := late.ETag("Bearer t"); ok {
				t.Error("what was not verified before is used")
			}
			time.Sleep(minutes*time.Minute - 1)
			if !c.Stats().Quiet {
				t.Errorf("it is not quiet for %d minutes", minutes)
			}
			time.Sleep(time.Nanosecond)
			if c.Stats().Quiet {
				t.Errorf("it is quiet for more than %d minutes", minutes)
			}
			doubt()
		}
		time.Sleep(time.Hour)
		if _, ok := keeps(t, c, "/x", "Bearer t", "{}").ETag("Bearer t"); !ok {
			t.Error("a good one is not used")
		}
		for range maxDoubts - 1 {
			doubt()
		}
		if c.Stats().Quiet {
			t.Error("one that was good has changed nothing")
		}
		doubt()
		time.Sleep(time.Minute)
		if c.Stats().Quiet {
			t.Error("after a good one it is quiet for more than a minute")
		}
	})
}

// TestGiven: which ETags stand for an answer: those that clients were given last, by whatever token.
func TestGiven(t *testing.T) {
	c := New(1 << 20)
	a := keeps(t, c, "/a", "Bearer t", "{}")
	tags := []string{tagFor("{}", "Bearer t")}
	for i := range maxGiven - 1 {
		tag, ok := a.ETag(fmt.Sprint("Bearer ", i))
		if !ok || tag != tagFor("{}", fmt.Sprint("Bearer ", i)) {
			t.Fatalf("token %d: %s, %v", i, tag, ok)
		}
		tags = append(tags, tag)
	}
	named := func(values ...string) string {
		list, ok := Conditions(http.Header{"If-None-Match": values})
		if !ok {
			t.Fatal("not read")
		}
		return a.Named(list)
	}
	for i, tag := range tags {
		if got := named(tag); got != tag {
			t.Errorf("ETag %d: %q", i, got)
		}
	}
	if got := named(`"x"`, "W/"+tags[5]+`, "y"`); got != "W/"+tags[5] {
		t.Errorf("of several it is %q", got)
	}
	if got := named(`"x"`, `"`+strings.Repeat("a", 64)+`"`); got != "" {
		t.Errorf("of none it is %q", got)
	}
	named(tags[0]) // it is in use
	for i := range 3 {
		a.ETag(fmt.Sprint("Bearer more ", i))
	}
	if got := []string{named(tags[0]), named(tags[1]), named(tags[2]), named(tags[3]), named(tags[4])}; got[0] != tags[0] || got[1] != "" || got[2] != "" || got[3] != "" || got[4] != tags[4] {
		t.Errorf("which are known: %q", got)
	}
	if len(a.given) != maxGiven || len(a.tags) > maxTags {
		t.Errorf("%d and %d are known", len(a.given), len(a.tags))
	}
}

// TestFindGiven: of several views it is the one that an ETag stands for, whoever asks.
func TestFindGiven(t *testing.T) {
	c := New(1 << 20)
	for viewer, body := range map[uint64]string{1: "one", 2: "two", 3: "three"} {
		req, q := requestFor(t, "/a", "Bearer t")
		fetch(t, c, &q, req, answerWith(body, tagFor(body, "Bearer t")), viewer)
	}
	req, q := requestFor(t, "/a", "Bearer t")
	for _, body := range []string{"one", "two", "three"} {
		list, _ := Conditions(http.Header{"If-None-Match": {tagFor(body, "Bearer t")}})
		for viewer := range uint64(5) {
			a := c.Find(&q, req.Header, viewer, list)
			if a.uses != 1 {
				t.Errorf("it is in use %d times", a.uses)
			}
			kept := a.Body()
			if text, _ := io.ReadAll(kept); string(text) != body {
				t.Errorf("viewer %d is offered %q for that of %q", viewer, text, body)
			}
			kept.Close()
			a.Release()
		}
	}
}
