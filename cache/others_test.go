package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// together are Others that share a map.
type together struct {
	mu    sync.Mutex
	texts map[string][]byte
	asked int
	hold  chan struct{} // until it is closed nothing is filed, nil for no such
}

func (o *together) Recall(_ context.Context, key string) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	return o.texts[key]
}

func (o *together) Go(work func()) { go work() }

func (o *together) File(key string, text []byte) {
	if o.hold != nil {
		<-o.hold
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.texts[key] = bytes.Clone(text)
}

// fill has an answer pass through a Cache that tells others.
func fill(t *testing.T, c *Cache, others Others, q *Question, req *http.Request, resp *http.Response) {
	t.Helper()
	body := c.Fill(q, req, resp, 1, others)
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Fatal(err)
	}
	body.Close()
	synctest.Wait()
}

// TestOthers: what one replica keeps another has, with the ETag for its own token, if the ETag was the one that it should be.
func TestOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := &together{texts: make(map[string][]byte)}
		one, two := New(1<<20), New(1<<20)
		req, q := requestFor(t, "/a?b=c", "Bearer one", "Accept", "*/*", "X-Other", "x")
		find := func(c *Cache, q Question, req *http.Request, named ...Condition) string {
			a := c.FindFor(t.Context(), &q, req.Header, 2, named, others)
			if a == nil {
				return ""
			}
			defer a.Release()
			etag, ok := a.ETag("Bearer two")
			body, _ := io.ReadAll(a.Body())
			if want := tagFor(string(body), "*/*", "Bearer two"); !ok || etag != want {
				t.Errorf("%q: the ETag is %s (%v), want %s", body, etag, ok, want)
			}
			head := a.Freshen(http.Header{"X-Now": {"1"}}, etag, 2)
			if head.Get("Content-Type") != "application/json" || head.Get("X-Now") != "1" {
				t.Errorf("the head is %v", head)
			}
			return string(body) + a.Named(named)
		}
		if got := find(two, q, req); got != "" || others.asked != 1 {
			t.Errorf("found %q where nothing is, others were asked %d times", got, others.asked)
		}
		body := strings.Repeat("{}", 5000)
		resp := func(etag string) *http.Response {
			return answerWith(body, etag, "Content-Type", "application/json", "Vary", "Accept, Authorization, X-Other")
		}
		fill(t, one, others, &q, req, resp(tagFor("another", "*/*", "Bearer one")))
		if len(others.texts) != 0 {
			t.Error("others get an answer whose ETag is not the one that it should be")
		}
		tag := tagFor(body, "*/*", "Bearer one")
		fill(t, one, others, &q, req, resp(tag))
		if got := find(two, q, req); got != body {
			t.Errorf("found %.20q, want what the other has kept", got)
		}
		asked := others.asked
		if got := find(two, q, req); got != body || others.asked != asked {
			t.Errorf("found %.20q the second time; others were asked again: %v", got, others.asked != asked)
		}
		if used := two.Stats(); used.Answers != 1 || used.Recalled != 1 || used.Used < int64(len(body)) {
			t.Errorf("the other one has %+v", used)
		}
		named, _ := Conditions(http.Header{"If-None-Match": {tag}})
		if got := find(New(1<<20), q, req, named...); got != body+tag {
			t.Errorf("found %.20q … %q for a client that has the answer of another replica", got, got[max(0, len(got)-len(tag)):])
		}
		other := req.Clone(t.Context())
		other.Header.Set("X-Other", "y")
		if c := New(1 << 20); find(c, q, other) != "" || c.Stats().Used != 0 {
			t.Error("found what is for another request")
		}
		if got := find(New(64<<10), q, req); got != "" {
			t.Errorf("found %.20q, which is more than a sixteenth of the size", got)
		}
		for _, who := range []func(*Question){func(q *Question) { q.Installation++ }, func(q *Question) { q.App++ }, func(q *Question) { q.Kind = "jwt" }, func(q *Question) { q.target = "/a" }, func(q *Question) { q.accept = "" },
			func(q *Question) { q.Own = "x" }, func(q *Question) { q.host = "x" }, func(q *Question) { q.encoding = "x" }, func(q *Question) { q.userAgent = "x" }, func(q *Question) { q.apiVersion = "x" }} {
			changed := q
			who(&changed)
			if got := find(New(1<<20), changed, req); got != "" {
				t.Errorf("found %.20q for %+v", got, changed)
			}
		}
	})
}

// TestOthersPretty: the ETag of an answer that was printed for people is known to others, too.
func TestOthersPretty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := &together{texts: make(map[string][]byte)}
		req, q := requestFor(t, "/a", "Bearer one")
		fill(t, New(1<<20), others, &q, req, answerWith("{\n  \"a\": 1\n}\n", tagFor(`{"a":1}`, "Bearer one")))
		a := New(1<<20).FindFor(t.Context(), &q, req.Header, 1, nil, others)
		if a == nil {
			t.Fatal("others have nothing")
		}
		defer a.Release()
		if etag, ok := a.ETag("Bearer two"); !ok || etag != tagFor(`{"a":1}`, "Bearer two") {
			t.Errorf("the ETag is %s (%v)", etag, ok)
		}
	})
}

// TestOthersAreBounded: what is too long others do not get, and what is none of ours nobody takes.
func TestOthersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := &together{texts: make(map[string][]byte)}
		c := New(64 << 20)
		req, q := requestFor(t, "/a", "Bearer one")
		long := strings.Repeat("x", maxFiled+1)
		fill(t, c, others, &q, req, answerWith(long, tagFor(long, "Bearer one")))
		if len(others.texts) != 0 || c.Stats().Answers != 1 {
			t.Errorf("others have %d answers, %d are kept here", len(others.texts), c.Stats().Answers)
		}
		long = long[1:]
		fill(t, c, others, &q, req, answerWith(long, tagFor(long, "Bearer one")))
		text := others.texts[q.key()]
		if len(text) < maxFiled {
			t.Fatalf("others have %d bytes", len(text))
		}
		for _, wrong := range [][]byte{{}, {0}, {0, 0, 0, 9}, {255, 255, 255, 255, 1}, text[:100], append(bytes.Clone(text), 1), {0, 0, 0, 2, '[', ']', 1}} {
			others.texts[q.key()] = wrong
			other := New(64 << 20)
			if a := other.FindFor(t.Context(), &q, req.Header, 1, nil, others); a != nil {
				t.Errorf("%.20q is taken for an answer", wrong)
			}
			if used := other.Stats().Used; used != 0 {
				t.Errorf("%.20q: %d bytes are used", wrong, used)
			}
		}
	})
}

// TestOthersFiling: so many answers are made ready for others at once, and no more wait; their memory counts as long as they are in use.
func TestOthersFiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := &together{texts: make(map[string][]byte), hold: make(chan struct{})}
		c := New(1 << 20)
		ask := func(target string) {
			req, q := requestFor(t, target, "Bearer one")
			fill(t, c, others, &q, req, answerWith("{}", tagFor("{}", "Bearer one")))
		}
		for i := range maxFiling + 1 {
			ask("/" + strings.Repeat("a", i))
		}
		all := c.Stats().Used
		if c.Resize(0); c.Stats().Used == 0 || c.Stats().Used >= all {
			t.Errorf("%d of %d bytes are used while answers are made ready", c.Stats().Used, all)
		}
		close(others.hold)
		if synctest.Wait(); len(others.texts) != maxFiling || c.Stats().Used != 0 {
			t.Errorf("others have %d answers, %d bytes are used, want %d and none", len(others.texts), c.Stats().Used, maxFiling)
		}
		c.Resize(1 << 20)
		if ask("/later"); len(others.texts) != maxFiling+1 {
			t.Error("others do not have the next one")
		}
	})
}

// TestOthersNotKept: of an answer that is not kept, since the Cache was turned off meanwhile, others get nothing, and its memory is
// given back once.
func TestOthersNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := &together{texts: make(map[string][]byte)}
		c := New(1 << 20)
		req, q := requestFor(t, "/a", "Bearer one")
		resp := answerWith("{}", tagFor("{}", "Bearer one"))
		resp.ContentLength = -1 // its end is not known before
		body := c.Fill(&q, req, resp, 1, others)
		if _, err := io.ReadFull(body, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		c.Resize(0)
		_, _ = io.Copy(io.Discard, body)
		body.Close()
		if synctest.Wait(); len(others.texts) != 0 || c.Stats().Used != 0 {
			t.Errorf("others have %d answers, %d bytes are used", len(others.texts), c.Stats().Used)
		}
	})
}

// TestOthersTaken: what is taken of another replica is the viewer's, keeps its own memory, is as weak as it was, and bounded in the
// ETags that were given for it. Where nothing is kept for a while, others are not asked.
func TestOthersTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		others := &together{texts: make(map[string][]byte)}
		req, q := requestFor(t, "/a", "Bearer one")
		fill(t, New(1<<20), others, &q, req, answerWith("{}", "W/"+tagFor("{}", "Bearer one")))
		head, body, ok := decodeFiled(others.texts[q.key()])
		if !ok {
			t.Fatal("others have nothing")
		}
		head.Given = make([]Tag, maxGiven+1)
		text, err := json.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...), body...)
		others.texts[q.key()] = text
		a := New(1<<20).FindFor(t.Context(), &q, req.Header, 7, nil, others)
		if a == nil {
			t.Fatal("nothing is found")
		}
		defer a.Release()
		clear(text)
		if kept, err := io.ReadAll(a.Body()); err != nil || string(kept) != "{}" {
			t.Errorf("the body is %q, %v", kept, err)
		}
		if etag, ok := a.ETag("Bearer two"); !ok || etag != "W/"+tagFor("{}", "Bearer two") {
			t.Errorf("the ETag is %s", etag)
		}
		if len(a.given) != maxGiven || !a.isOf(7) || a.isOf(1) {
			t.Errorf("%d ETags, of viewers %v", len(a.given), a.viewers)
		}
		quiet := New(1 << 20)
		quiet.doubts.until = time.Now().Add(time.Hour)
		others.asked = 0
		if quiet.FindFor(t.Context(), &q, req.Header, 1, nil, others) != nil || others.asked != 0 {
			t.Error("others are asked where nothing is kept")
		}
	})
}
