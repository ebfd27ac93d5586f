package cache

import (
	"io"
	"net/http"
	"strings"
)

// smallRead is how little is not taken for all of a body whose length is not known.
const smallRead = 512

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
		h["Set-Cookie"] != nil || h["Content-Range"] != nil || len(resp.Trailer) > 0 || hasDirective(h, "no-store") {
		return nil
	}
	tag, weak, ok := parseTag(h["Etag"][0])
	gzip, known := codingOf(h)
	selects, fits := selectionOf(req.Header, h)
	if !ok || !known || !fits {
		return nil
	}
	var most [2 << 10]byte // of what is packed: it needs no memory of its own
	texts := q.appendTo(most[:0])
	asks := len(texts)
	texts, fields, few := appendKept(texts, h)
	cost := costOf(len(texts), fields, &selects)
	if !few || !c.admit(q, tag, req.Header, viewer, cost) {
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

// Inner is the body that is kept.
func (f *filling) Inner() io.ReadCloser { return f.ReadCloser }

// write keeps the next part of the body.
func (f *filling) write(p []byte) {
	a := f.answer
	if a.length += int64(len(p)); a.length > f.bound {
		f.drop()
		return
	}
	for left := max(int(f.left), len(p)); len(p) > 0; {
		n := f.append(p)
		if n == 0 {
			n = f.begin(p, left)
		}
		if n == 0 {
			f.drop() // there is no memory for it
			return
		}
		p, left = p[n:], left-n
	}
}

// append adds what the last chunk has room for.
func (f *filling) append(p []byte) int {
	chunks := f.answer.body
	if len(chunks) == 0 {
		return 0
	}
	last := chunks[len(chunks)-1]
	n := min(cap(last)-len(last), len(p))
	chunks[len(chunks)-1] = append(last, p[:n]...)
	return n
}

// begin adds a chunk with the first of p. So much of the body is left, and more if that is not known.
func (f *filling) begin(p []byte, left int) int {
	a := f.answer
	if f.left < 0 && (len(p) < smallRead || len(a.body) > 0) {
		left = max(left, smallChunk)
	}
	number := chunkFor(left)
	chunk, ok := f.cache.takeChunk(number)
	if !ok {
		return 0
	}
	size := chunkSizes[number]
	n := min(size, len(p))
	switch {
	case chunk != nil:
		chunk = append(chunk, p[:n]...)
	case n == size:
		chunk = append([]byte(nil), p[:n]...)[:n:n] // which needs not be cleared first
	default:
		chunk = append(make([]byte, 0, size), p[:n]...)
	}
	if len(a.body) == 0 && left > maxChunk {
		a.body = make([][]byte, 0, left/maxChunk+1)
	}
	a.body = append(a.body, chunk)
	a.cost += int64(size) // nobody else has it yet
	return n
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
	chunks := f.answer.body
	if len(chunks) == 0 {
		return
	}
	last := chunks[len(chunks)-1]
	number := chunkFor(len(last))
	if chunkSizes[number] == cap(last) || cap(last)-len(last) <= len(last)/8 {
		return
	}
	chunk, ok := f.cache.takeChunk(number)
	if !ok {
		return
	}
	if chunk == nil {
		chunk = make([]byte, 0, chunkSizes[number])
	}
	chunks[len(chunks)-1] = append(chunk, last...)
	f.answer.cost += int64(cap(chunk) - cap(last))
	f.cache.returnChunk(last)
}

// drop keeps nothing.
func (f *filling) drop() {
	if f.answer != nil {
		f.cache.giveBack(f.answer.cost)
		f.answer = nil
	}
}
