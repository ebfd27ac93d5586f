package cache

import (
	"errors"
	"hash/maphash"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"ghapp-proxy/ending"
)

const (
	// maxFlights is how many questions are under way that others can join.
	maxFlights = 4096
	// maxPassengers is how many share one answer.
	maxPassengers = 512
	// maxSharedBody is the length of a body that is shared, in bytes.
	maxSharedBody = 1 << 20
	// patience is how long the head of another's answer is waited for.
	patience = 10 * time.Second
)

// flights are the requests under way, so that who asks the same at the same moment shares one
// answer.
type flights struct {
	cache *Cache // whose memory the bodies count in

	mu    sync.Mutex
	under map[uint64]*flight // by a hash of all that leaves
}

// Fate is how a Cache came to an answer.
type Fate struct {
	How    How
	Status int   // what GitHub answered
	Length int64 // of the body that GitHub did not send
	Shared bool  // others have the answer, too, from who has sent the request
}

// flight is a request that leaves for several who ask the same.
type flight struct {
	ending.Context // of the request that leaves: it ends when nobody is aboard any more

	of      *flights
	key     uint64
	host    string
	target  string
	fields  http.Header // of the first, who does not change them before it has landed
	leaving http.Request
	first   seat
	left    ending.Watch // has the first leave his seat
	body    leadBody

	// By flights.mu.
	landed chan struct{} // closed when the head is there; nil while nobody waits for that
	aboard int           // who still wants the answer
	kept   io.ReadCloser // keeps an answer's memory until they have it

	// Written before landed is closed.
	head   *http.Response // nil: each asks for himself
	fate   Fate
	answer *Answer
	shared *sharedBody
}

// seat is one asker's part in a flight.
type seat struct {
	flight *flight
	once   sync.Once
}

// leave gives the seat up. When nobody is aboard any more, the request ends.
func (s *seat) leave() {
	s.once.Do(func() {
		f := s.flight
		f.of.mu.Lock()
		f.aboard--
		empty := f.aboard == 0
		if empty {
			f.close()
		}
		kept := f.kept
		f.of.mu.Unlock()
		if empty {
			f.End()
			if kept != nil {
				kept.Close()
			}
		}
	})
}

// Ended implements ending.Waiter: who sits there does not want the answer any more.
func (s *seat) Ended() { s.leave() }

// close lets nobody join any more. The flights must be locked.
func (f *flight) close() {
	if f.of.under[f.key] == f {
		delete(f.of.under, f.key)
	}
}

// Sender sends a request for a Cache. It must use the request that it is given: the context of that ends when
// nobody wants the answer any more, not with the first who asked.
type Sender interface {
	SendToKeep(q *Question, req *http.Request) (*http.Response, Fate, error)
}

// Do sends a request, or shares the answer to one that is the same in all that leaves and is under way;
// collapsed reports that.
func (c *Cache) Do(q *Question, req *http.Request, by Sender) (resp *http.Response, fate Fate, collapsed bool, err error) {
	flight, mine, leads := c.flights.join(q, req)
	switch {
	case leads:
		resp, fate, err = flight.lead(q, req, by)
		return resp, fate, false, err
	case flight != nil:
		if resp, err = flight.wait(req, mine); resp != nil || err != nil {
			return resp, flight.fate, true, err
		}
	}
	resp, fate, err = by.SendToKeep(q, req)
	return resp, fate, false, err
}

// lead sends the request of the first.
func (f *flight) lead(q *Question, req *http.Request, by Sender) (resp *http.Response, fate Fate, err error) {
	f.left.Begin(req.Context(), &f.first)
	landed := false
	defer func() {
		if !landed { // the sender has panicked
			f.land(req, nil, Fate{}, errFault)
		}
	}()
	f.leaving = *req.WithContext(&f.Context)
	resp, fate, err = by.SendToKeep(q, &f.leaving)
	landed = true
	if resp, err = f.land(req, resp, fate, err); err == nil {
		resp.Request = req // whose context does not end with the body
	}
	fate.Shared = f.head != nil
	return resp, fate, err
}

var errFault = errors.New("there is no answer because of a fault")

// join takes a seat in the flight of a request, nil if there is none left.
func (f *flights) join(q *Question, req *http.Request) (flight *flight, mine *seat, leads bool) {
	key := keyOf(q, req)
	f.mu.Lock()
	defer f.mu.Unlock()
	if flight = f.under[key]; flight != nil {
		if flight.aboard >= maxPassengers || !flight.isFor(q, req) {
			return nil, nil, false
		}
		if flight.landed == nil {
			flight.landed = make(chan struct{})
		}
		flight.aboard++
		return flight, &seat{flight: flight}, false
	}
	if len(f.under) >= maxFlights {
		return nil, nil, false
	}
	flight = f.begin(key, q, req)
	f.under[key] = flight
	return flight, &flight.first, true
}

func (f *flights) begin(key uint64, q *Question, req *http.Request) *flight {
	flight := &flight{of: f, key: key, host: q.host, target: q.target, fields: req.Header, aboard: 1}
	flight.Of(req.Context())
	flight.first.flight = flight
	return flight
}

// keyOf is a hash of all of a request, in whatever order its fields are.
func keyOf(q *Question, req *http.Request) uint64 {
	key := q.sum
	for name, values := range req.Header {
		of := maphash.String(seed, name)
		for _, value := range values {
			of = of*odd + maphash.String(seed, value)
		}
		key += of * odd
	}
	return key
}

// isFor reports whether a request is the same as the flight's.
func (f *flight) isFor(q *Question, req *http.Request) bool {
	return f.host == q.host && f.target == q.target && maps.EqualFunc(f.fields, req.Header, slices.Equal[[]string])
}

// land gives the answer to all aboard. The first gets it from here.
func (f *flight) land(req *http.Request, resp *http.Response, fate Fate, err error) (*http.Response, error) {
	f.of.mu.Lock()
	f.close()
	others, landed := f.aboard, f.landed
	f.of.mu.Unlock()
	if landed != nil {
		defer close(landed)
	}
	if req.Context().Err() == nil {
		others-- // himself
	}
	if err != nil || others <= 0 || !f.share(resp, fate) {
		return f.alone(resp, err)
	}
	f.left.Stop()
	if f.shared == nil {
		f.first.leave()
		return resp, nil
	}
	return f.answerTo(req, &f.first), nil
}

// alone is the first's answer where nobody shares it: it ends with him.
func (f *flight) alone(resp *http.Response, err error) (*http.Response, error) {
	if err != nil || isThere(resp.Body) {
		f.left.Stop()
		f.first.leave()
		return resp, err
	}
	f.body = leadBody{resp.Body, f}
	resp.Body = &f.body
	return resp, nil
}

// isThere reports whether all of a body is in memory.
func isThere(body io.ReadCloser) bool {
	_, kept := body.(*keptBody)
	return kept || body == http.NoBody
}

// leadBody is a body that the first alone reads.
type leadBody struct {
	io.ReadCloser
	flight *flight
}

// Close implements io.Closer.
func (b *leadBody) Close() error {
	err := b.ReadCloser.Close()
	b.flight.left.Stop()
	b.flight.first.leave()
	return err
}

// Inner is the body that the first alone reads.
func (b *leadBody) Inner() io.ReadCloser { return b.ReadCloser }

// share prepares an answer for all, and reports whether it is one to be shared.
func (f *flight) share(resp *http.Response, fate Fate) bool {
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotModified, http.StatusNotFound:
	default:
		return false
	}
	if len(resp.Trailer) > 0 || resp.Header["Set-Cookie"] != nil {
		return false
	}
	if kept, ok := resp.Body.(*keptBody); ok {
		f.hold(kept.answer)
	} else if resp.Body != http.NoBody {
		if resp.ContentLength < 0 || resp.ContentLength > maxSharedBody || !f.of.cache.reserve(resp.ContentLength+sharedChunk) {
			return false
		}
		f.shared = newSharedBody(f, resp.ContentLength+sharedChunk)
		go f.shared.pump(resp.Body)
	}
	head := *resp
	head.Header, head.Body = cloneFields(resp.Header), nil
	f.head, f.fate = &head, fate
	return true
}

// hold keeps the memory of an answer until all aboard have it.
func (f *flight) hold(a *Answer) {
	body := a.Body()
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if f.aboard == 0 {
		go body.Close() // which needs no lock of ours
		return
	}
	f.answer, f.kept = a, body
}

func cloneFields(h http.Header) http.Header {
	clone := make(http.Header, len(h))
	for name, values := range h {
		clone[name] = append([]string(nil), values...)
	}
	return clone
}

// wait waits for the answer of another's request. It returns nothing where the request has to be sent after all.
func (f *flight) wait(req *http.Request, mine *seat) (*http.Response, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.landed:
	case <-req.Context().Done():
		mine.leave()
		return nil, req.Context().Err()
	case <-timer.C:
		mine.leave()
		return nil, nil
	}
	if f.head == nil {
		mine.leave()
		return nil, nil
	}
	return f.answerTo(req, mine), nil
}

// answerTo is the answer for one of those aboard.
func (f *flight) answerTo(req *http.Request, mine *seat) *http.Response {
	resp := *f.head
	resp.Header, resp.Request = cloneFields(f.head.Header), req
	switch {
	case f.answer != nil:
		resp.Body = f.answer.Body()
		mine.leave()
	case f.shared == nil:
		resp.Body = http.NoBody
		mine.leave()
	default:
		resp.Body = f.shared.reader(req.Context(), mine)
	}
	return &resp
}
