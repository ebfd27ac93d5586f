package cache

import (
	"hash/maphash"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	// maxGiven is of how many ETags it is known that clients were given them for an answer.
	maxGiven = 64
	// maxTags is for how many tokens the ETag of an answer is known.
	maxTags = 8
	// overhead is what an answer costs besides its texts, in bytes: its records, and the lists
	// below at their longest.
	overhead = 2<<10 + maxGiven*len(Tag{}) + maxTags*(len(Tag{})+16) + 8*maxViewers
	// fieldOverhead is the same for each field.
	fieldOverhead = 64
)

// Answer is an answer that is kept. It is safe for concurrent use.
type Answer struct {
	cache   *Cache
	sum     uint64 // the hash of its Question
	selects selection
	body    [][]byte
	length  int64
	gzip    bool
	weak    bool // its ETag was

	// By Cache.mu.
	cost    int64
	kept    bool // that it is still
	place   place
	uses    int
	outdone bool // a viewer was given another since
	viewers []uint64
	given   []Tag // that clients were given for it, the newest last

	// Who changes these has both locks.
	asks   packed // its Question
	header packed // its fields; those of one name stand together

	mu       sync.Mutex
	received Tag
	asked    string // the Authorization it was asked with, until it is verified
	verified bool
	unfit    bool
	coding   coding
	tags     []tagOf // maxTags at most
	next     int     // of these to be replaced

	one struct { // where most have no more than one of each: the first memory of the lists
		chunk  [1][]byte
		viewer [1]uint64
		given  [1]Tag
		view   [1]*Answer
	}
}

// tagOf is the ETag for a token.
type tagOf struct {
	token uint64 // its hash
	tag   Tag
}

var seed = maphash.MakeSeed()

// Viewer is the number of a viewer.
func Viewer(name string) uint64 { return maphash.String(seed, name) }

// costOf is what an answer takes of the memory, without its body; texts is the length of what is packed of it.
func costOf(texts, fields int, s *selection) int64 {
	return int64(overhead + texts + fields*fieldOverhead + s.cost())
}

// Release ends a use of the Answer.
func (a *Answer) Release() { a.cache.release(a) }

// ETag is the answer's ETag for an Authorization, "" for none. It fails where the ETag that GitHub gave
// is not the one that it should have given by what is known: the answer is dropped then.
func (a *Answer) ETag(authorization string) (etag string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.verify() {
		return "", false
	}
	token := maphash.String(seed, authorization)
	for i := range a.tags {
		if known := &a.tags[i]; known.token == token {
			return known.tag.field(a.weak), true
		}
	}
	tag, err := a.compute(authorization, a.coding, nil)
	if err != nil {
		return "", false
	}
	a.remember(token, tag)
	return tag.field(a.weak), true
}

// verify compares the ETag that GitHub gave with the one that is computed, once. The answer must
// be locked.
func (a *Answer) verify() bool {
	if a.verified || a.unfit {
		return a.verified
	}
	if a.cache.isQuiet() {
		return false
	}
	search := searcher{secret: secretIn(a.asked)}
	a.coding = coding{gzip: a.gzip}
	tag, err := a.compute(a.asked, a.coding, search.look)
	if err == nil && tag != a.received && a.looksPretty() {
		a.coding.pretty = true
		tag, err = a.compute(a.asked, a.coding, nil)
	}
	a.verified = err == nil && tag == a.received && !search.found
	if err == nil && !search.found {
		a.cache.learn(a.verified)
	}
	if a.verified {
		a.remember(maphash.String(seed, a.asked), tag)
	} else {
		a.unfit = true
		a.cache.drop(a)
	}
	a.asked = ""
	return a.verified
}

// secretIn is the credential in an Authorization.
func secretIn(authorization string) []byte {
	_, secret, _ := strings.Cut(authorization, " ")
	return []byte(secret)
}

// looksPretty reports whether the body may have been printed for people to read.
func (a *Answer) looksPretty() bool {
	if !a.gzip {
		return len(a.body) > 0 && isPretty(a.body[0])
	}
	w := works.Get().(*work)
	defer works.Put(w)
	var begins []byte
	_, _ = w.tag(nil, a.body, coding{gzip: true}, func(text []byte) { // an error was seen before
		if len(begins) < 2 {
			begins = append(begins, text[:min(len(text), 2-len(begins))]...)
		}
	})
	return isPretty(begins)
}

// isPretty reports whether a JSON text begins as one for people does.
func isPretty(text []byte) bool {
	return len(text) > 1 && (text[0] == '{' || text[0] == '[') && text[1] == '\n'
}

// compute computes the ETag for an Authorization.
func (a *Answer) compute(authorization string, c coding, look func([]byte)) (Tag, error) {
	w := works.Get().(*work)
	defer works.Put(w)
	var prefix []byte
	if accept := a.asks.question().accept; a.selects.accept && accept != "" {
		prefix = append(append(prefix, accept...), ':')
	}
	if a.selects.authorization && authorization != "" {
		prefix = append(append(prefix, authorization...), ':')
	}
	return w.tag(prefix, a.body, c, look)
}

// remember notes the ETag for a token, which clients are going to be given.
func (a *Answer) remember(token uint64, tag Tag) {
	if len(a.tags) < maxTags {
		a.tags = append(a.tags, tagOf{token, tag})
	} else {
		a.tags[a.next] = tagOf{token, tag}
		a.next = (a.next + 1) % maxTags
	}
	a.cache.mu.Lock()
	defer a.cache.mu.Unlock()
	a.give(tag)
}

// give notes that clients have an ETag for the answer. The Cache must be locked.
func (a *Answer) give(tag Tag) {
	if i := slices.Index(a.given, tag); i >= 0 {
		a.given = append(slices.Delete(a.given, i, i+1), tag)
		return
	}
	if len(a.given) == maxGiven {
		a.given = slices.Delete(a.given, 0, 1)
	}
	a.given = append(a.given, tag)
}

// standsFor reports whether one of the ETags was given for the answer.
func (a *Answer) standsFor(named []Condition) bool {
	for i := range named {
		if named[i].ours && slices.Contains(a.given, named[i].tag) {
			return true
		}
	}
	return false
}

// Named is the client's ETag that stands for the answer, "" for none.
func (a *Answer) Named(named []Condition) string {
	a.cache.mu.Lock()
	defer a.cache.mu.Unlock()
	for i := range named {
		if named[i].ours && slices.Contains(a.given, named[i].tag) {
			a.give(named[i].tag) // it is in use
			return named[i].Text
		}
	}
	return ""
}

func (a *Answer) isOf(viewer uint64) bool { return slices.Contains(a.viewers, viewer) }

// note adds a viewer.
func (a *Answer) note(viewer uint64) {
	if a.isOf(viewer) {
		return
	}
	if len(a.viewers) == maxViewers {
		a.viewers = slices.Delete(a.viewers, 0, 1)
	}
	a.viewers = append(a.viewers, viewer)
}

// forget takes a viewer away.
func (a *Answer) forget(viewer uint64) {
	a.viewers = slices.DeleteFunc(a.viewers, func(v uint64) bool { return v == viewer })
}

// leaves takes a viewer away, and reports whether it was the only one.
func (a *Answer) leaves(viewer uint64) bool {
	if !a.isOf(viewer) {
		return false
	}
	a.forget(viewer)
	return len(a.viewers) == 0
}

// Freshen is the head of the answer with what GitHub's 304 says, which was given for etag. The fields are the
// caller's. What is kept is updated, too: RFC 9111, section 4.3.4.
func (a *Answer) Freshen(now http.Header, etag string, viewer uint64) http.Header {
	a.mu.Lock()
	var few [48]field // most have less
	kept := a.header.fields(few[:0])
	fresh := freshen(kept, now)
	if len(now["Etag"]) == 0 {
		fresh["Etag"] = []string{etag}
	}
	if updates(kept, now) {
		a.update(freshen(kept, now), len(kept))
	}
	a.mu.Unlock()
	a.cache.touch(a, viewer)
	return fresh
}

// update keeps other fields than before, if there is memory for them. The answer must be locked.
func (a *Answer) update(h http.Header, before int) {
	if texts, fields, ok := appendKept([]byte(a.asks), h); ok {
		more := len(texts) - len(a.asks) - len(a.header) + (fields-before)*fieldOverhead
		a.cache.replace(a, packed(texts), int64(more))
	}
}

// Touch notes that the answer was good for a viewer.
func (a *Answer) Touch(viewer uint64) { a.cache.touch(a, viewer) }

// Length is that of the body.
func (a *Answer) Length() int64 { return a.length }

// Body is the answer's body. The answer counts as used until it is closed.
func (a *Answer) Body() io.ReadCloser {
	a.cache.mu.Lock()
	defer a.cache.mu.Unlock()
	a.uses++
	return &keptBody{chunkReader: chunkReader{chunks: a.body}, answer: a}
}

// keptBody is the body of an answer that is kept.
type keptBody struct {
	chunkReader
	answer *Answer
}

// Close implements io.Closer. It may be called more than once, by one goroutine.
func (b *keptBody) Close() error {
	if b.answer != nil {
		b.chunkReader = chunkReader{}
		b.answer.Release()
		b.answer = nil
	}
	return nil
}

// HasArrived reports that all of it is there.
func (b *keptBody) HasArrived() bool { return true }
