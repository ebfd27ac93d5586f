package cache

import (
	"io"
	"net/http"
	"strings"
)

// filling is the body of an answer on its way to a client, which is kept when it has come to its
// end.
type filling struct {
	io.ReadCloser
	cache  *Cache
	others Others         // who get it, too; nil for nobody
	answer *Answer        // nil when it is not to be kept any more
	resp   *http.Response // for its trailers
	bound  int64
	left   int64 // as its length was announced, -1 if it was not
}

// Fill returns the body of an answer to req, which is kept when it has been read to its end. Where the
// answer is not one to be kept, it is the same body. Others, if they are not nil, get what is kept.
func (c *Cache) Fill(q *Question, req *http.Request, resp *http.Response, viewer uint64, others Others) io.ReadCloser {
	bound := c.bound()
	a := c.answerOf(q, req, resp, viewer, bound)
	if a == nil {
		return resp.Body
	}
	return &filling{ReadCloser: resp.Body, cache: c, others: others, answer: a, resp: resp, bound: bound, left: resp.ContentLength}
}

// answerOf is what would be kept of an answer, without its body; nil for nothing. Its cost is reserved.
func (c *Cache) answerOf(q *Question, req *http.Request, resp *http.Response, viewer uint64, bound int64) *Answer {
	h := resp.Header
	if resp.StatusCode != http.StatusOK || resp.ContentLength > bound || resp.Body == nil || resp.Body == http.NoBody || len(h["Etag"]) != 1 ||
		h["Set-Cookie"] != nil || h["Content-Range"] != nil || len(resp.Trailer) > 0 || hasDirective(h, "no-store") || c.isQuiet() {
		return nil
	}
	tag, weak, ok := parseTag(h["Etag"][0])
	gzip, known := codingOf(h)
	selects, fits := selectionOf(req.Header, h)
	if !ok || !known || !fits || c.confirm(q, tag, req.Header, viewer) { // then it is kept already
		return nil
	}
	var most [2 << 10]byte // of what is packed: it needs no memory of its own
	texts := q.appendTo(most[:0])
	asks := len(texts)
	texts, fields, few := appendKept(texts, h)
	cost := costOf(len(texts), fields, &selects)
	if !few || !c.reserve(cost) {
		return nil
	}
	a := &Answer{cache: c, sum: q.sum, selects: selects, gzip: gzip, weak: weak, cost: cost, received: tag, asked: authorizationOf(req)}
	all := packed(texts)
	a.asks, a.header = all[:asks], all[asks:]
	a.given, a.viewers, a.body = append(a.one.given[:0], tag), append(a.one.viewer[:0], viewer), a.one.chunk[:0]
	return a
}

func authorizationOf(req *http.Request) string { return joined(req.Header, "Authorization") }

// codingOf reads Content-Encoding. It fails where the coding is not known.
func codingOf(h http.Header) (gzip, known bool) {
	switch coding := strings.ToLower(joined(h, "Content-Encoding")); coding {
	case "", "identity":
		return false, true
	default:
		return coding == "gzip", coding == "gzip"
	}
}

// Read implements io.Reader.
func (f *filling) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.answer == nil {
		return n, err
	}
	if n > 0 {
		f.write(p[:n])
	}
	if f.left >= 0 {
		f.left -= int64(n)
	}
	switch {
	case err == io.EOF:
		f.keep()
	case err != nil:
		f.drop()
	}
	return n, err
}

// Close implements io.Closer. Of a body that was not read to its end nothing is kept, unless only the
// end itself was not read.
func (f *filling) Close() error {
	if f.left == 0 && f.answer != nil {
		f.keep()
	}
	f.drop()
	return f.ReadCloser.Close()
}

// Names are those of the head's fields as they came, nil if that is not known.
func (f *filling) Names() []string {
	if b, ok := f.ReadCloser.(interface{ Names() []string }); ok {
		return b.Names()
	}
	return nil
}

// HasArrived reports whether the beginning is there already.
func (f *filling) HasArrived() bool {
	b, ok := f.ReadCloser.(interface{ HasArrived() bool })
	return ok && b.HasArrived()
}

const (
	// wholeRead is from which length on what was read is a chunk of its own; what is less is put together
	wholeRead = 4 << 10
	// in chunks of that size.
	smallChunk = 4 << 10
)

// write keeps the next part of the body.
func (f *filling) write(p []byte) {
	a := f.answer
	if a.length += int64(len(p)); a.length > f.bound {
		f.drop()
		return
	}
	if n := len(a.body); n > 0 {
		last := a.body[n-1]
		m := min(cap(last)-len(last), len(p))
		a.body[n-1], p = append(last, p[:m]...), p[m:]
	}
	if len(p) == 0 {
		return
	}
	size := smallChunk
	if len(p) >= wholeRead || f.left == int64(len(p)) {
		size = len(p)
	}
	if !f.reserve(size) {
		return
	}
	if size == len(p) {
		a.body = append(a.body, append([]byte(nil), p...)) // which needs not be cleared first
		f.reserve(cap(a.body[len(a.body)-1]) - size)
		return
	}
	a.body = append(a.body, append(make([]byte, 0, size), p...))
}

// reserve takes memory, or drops the answer.
func (f *filling) reserve(n int) bool {
	if !f.cache.reserve(int64(n)) {
		f.drop()
		return false
	}
	f.answer.cost += int64(n) // nobody else has it yet
	return true
}

// keep puts the answer in.
func (f *filling) keep() {
	a := f.answer
	if a == nil || len(f.resp.Trailer) > 0 || f.left > 0 {
		f.drop()
		return
	}
	f.trim()
	f.answer = nil
	f.cache.keep(a)
	f.cache.file(a, f.others)
}

// trim gives back what the last chunk does not need.
func (f *filling) trim() {
	n := len(f.answer.body)
	if n == 0 {
		return
	}
	last := f.answer.body[n-1]
	spare := cap(last) - len(last)
	if rounded := len(last) / 8; spare > rounded { // which the allocator adds at most
		f.answer.body[n-1] = append(make([]byte, 0, len(last)), last...)
		f.cache.giveBack(int64(spare - rounded))
		f.answer.cost -= int64(spare - rounded)
	}
}

// drop keeps nothing.
func (f *filling) drop() {
	if f.answer != nil {
		f.cache.giveBack(f.answer.cost)
		f.answer = nil
	}
}
