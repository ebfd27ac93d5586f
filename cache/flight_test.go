package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// host answers requests one by one, when it is told to.
type host struct {
	arrived chan *http.Request
	answers chan func() (*http.Response, Fate, error)
}

func newHost() *host {
	return &host{make(chan *http.Request, 10000), make(chan func() (*http.Response, Fate, error), 10000)}
}

func (h *host) SendToKeep(_ *Question, req *http.Request) (*http.Response, Fate, error) {
	h.arrived <- req
	select {
	case answer := <-h.answers:
		return answer()
	case <-req.Context().Done():
		return nil, Fate{}, req.Context().Err()
	}
}

// answer has the next request answered.
func (h *host) answer(resp *http.Response, err error) {
	h.answers <- func() (*http.Response, Fate, error) {
		if err != nil {
			return nil, Fate{}, err
		}
		return resp, Fate{How: Miss, Status: resp.StatusCode}, nil
	}
}

// got is what one of those who asked got.
type got struct {
	status    int
	body      string
	fate      Fate
	collapsed bool
	err       error
	panicked  bool
	header    http.Header
}

// asks asks for a target in a goroutine of its own, and reads the answer.
func asks(ctx context.Context, t *testing.T, c *Cache, h *host, target, token string) <-chan got {
	t.Helper()
	req, q := requestFor(t, target, token)
	req = req.WithContext(ctx)
	result := make(chan got, 1)
	go func() {
		g := got{panicked: true}
		defer func() {
			if g.panicked {
				_ = recover()
			}
			result <- g
		}()
		resp, fate, collapsed, err := c.Do(&q, req, h)
		g = got{fate: fate, collapsed: collapsed, err: err}
		if err != nil {
			return
		}
		if resp.Request != req && collapsed {
			t.Error("the answer is that of another's request")
		}
		g.status, g.header = resp.StatusCode, resp.Header
		resp.Header.Set("X-Mine", token) // it is the asker's own
		body, err := io.ReadAll(resp.Body)
		g.body, g.err = string(body), err
		resp.Body.Close()
	}()
	return result
}

// unused fails if memory is in use, or a flight is under way.
func unused(t *testing.T, c *Cache) {
	t.Helper()
	synctest.Wait()
	c.Resize(0)
	if used := c.Stats().Used; used != 0 {
		t.Errorf("%d bytes are in use still", used)
	}
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if n := len(c.flights.under); n != 0 {
		t.Errorf("%d flights are under way still", n)
	}
}

// inFlight has many ask the same, one of whom has sent it.
func inFlight(t *testing.T, do func(c *Cache, h *host, ask func(token string) <-chan got)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, h := New(8<<20), newHost()
		do(c, h, func(token string) <-chan got {
			g := asks(t.Context(), t, c, h, "/a", token)
			synctest.Wait()
			return g
		})
		unused(t, c)
	})
}

// TestShared: who asks the same at the same moment shares the answer, whatever its length is; each has a head of its own.
func TestShared(t *testing.T) {
	for _, length := range []int{0, 1, 511, 512, 513, sharedChunk - 1, sharedChunk, sharedChunk + 1, 3*sharedChunk + 7, maxSharedBody} {
		inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
			var all []<-chan got
			for range 5 {
				all = append(all, ask("Bearer t"))
			}
			body := strings.Repeat("0123456789abcdef", length/16+1)[:length]
			resp := answerWith(body, `"x"`)
			if length == 0 {
				resp.Body = http.NoBody
			}
			h.answer(resp, nil)
			for i, one := range all {
				g := <-one
				if g.err != nil || g.status != 200 || g.body != body || g.collapsed != (i > 0) || g.fate.Shared != (i == 0) || g.fate.Status != 200 || g.header.Get("Etag") != `"x"` {
					t.Errorf("%d octets, asker %d: %d with %d, %v, %v", length, i, g.status, len(g.body), g.collapsed, g.err)
				}
			}
			if n := len(h.arrived); n != 1 {
				t.Errorf("%d requests arrived", n)
			}
		})
	}
}

// TestNotShared: what is not the same is not shared.
func TestNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := New(8<<20), newHost()
		var all []<-chan got
		for _, ask := range []struct{ target, token string }{{"/a", "Bearer t"}, {"/a", "Bearer u"}, {"/b", "Bearer t"}} {
			all = append(all, asks(t.Context(), t, c, h, ask.target, ask.token))
		}
		synctest.Wait()
		if n := len(h.arrived); n != len(all) {
			t.Errorf("%d of %d requests arrived", n, len(all))
		}
		for i := range all {
			h.answer(answerWith(fmt.Sprint(i), `"x"`), nil)
		}
		for _, one := range all {
			if g := <-one; g.collapsed || g.fate.Shared || g.err != nil {
				t.Errorf("%+v", g)
			}
		}
		unused(t, c)
	})
	a, q := requestFor(t, "/a", "Bearer t", "X", "1")
	f := &flight{host: q.host, target: q.target, fields: a.Header}
	for _, change := range []func(*http.Request, *Question){
		func(_ *http.Request, q *Question) { q.host, q.sum = "other", 1 },
		func(_ *http.Request, q *Question) { q.target, q.sum = "/b", 1 },
		func(r *http.Request, _ *Question) { r.Header.Set("X", "2") },
		func(r *http.Request, _ *Question) { r.Header.Add("X", "1") },
		func(r *http.Request, _ *Question) { r.Header.Set("Y", "1") },
		func(r *http.Request, _ *Question) { r.Header.Del("X") },
	} {
		b, other := requestFor(t, "/a", "Bearer t", "X", "1")
		if !f.isFor(&other, b) || keyOf(&q, a) != keyOf(&other, b) {
			t.Error("the same request is another one")
		}
		if change(b, &other); f.isFor(&other, b) || keyOf(&q, a) == keyOf(&other, b) {
			t.Errorf("%v is the same as %v", b.Header, a.Header)
		}
	}
}

// TestUnfitToShare: where an answer is not one for all, each asks for himself.
func TestUnfitToShare(t *testing.T) {
	long := strings.Repeat("a", maxSharedBody+1)
	for name, test := range map[string]struct {
		answer func() *http.Response
		err    error
	}{
		"a failure":        {nil, errors.New("no")},
		"a 403":            {func() *http.Response { r := answerWith("x", ""); r.StatusCode = 403; return r }, nil},
		"a 500":            {func() *http.Response { r := answerWith("x", ""); r.StatusCode = 500; return r }, nil},
		"a cookie":         {func() *http.Response { return answerWith("x", "", "Set-Cookie", "a=b") }, nil},
		"a trailer":        {func() *http.Response { r := answerWith("x", ""); r.Trailer = http.Header{"X": nil}; return r }, nil},
		"unknown length":   {func() *http.Response { r := answerWith("x", ""); r.ContentLength = -1; return r }, nil},
		"a long one":       {func() *http.Response { return answerWith(long, "") }, nil},
		"more than we can": {func() *http.Response { return answerWith(long[:maxSharedBody], "") }, nil},
	} {
		inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
			if name == "more than we can" {
				c.Resize(maxSharedBody)
			}
			first, second, third := ask("Bearer t"), ask("Bearer t"), ask("Bearer t")
			for range 3 {
				if test.err != nil {
					h.answer(nil, test.err)
				} else {
					h.answer(test.answer(), nil)
				}
			}
			for i, one := range []<-chan got{first, second, third} {
				if g := <-one; g.collapsed || !errors.Is(g.err, test.err) || test.err == nil && g.body != readAll(test.answer()) {
					t.Errorf("%s, asker %d: %v, %v, %d octets", name, i, g.collapsed, g.err, len(g.body))
				}
			}
			if n := len(h.arrived); n != 3 {
				t.Errorf("%s: %d requests arrived", name, n)
			}
		})
	}
	for _, status := range []int{304, 404} {
		inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
			first, second := ask("Bearer t"), ask("Bearer t")
			resp := answerWith("x", "")
			resp.StatusCode = status
			h.answer(resp, nil)
			if a, b := <-first, <-second; a.status != status || b.status != status || !b.collapsed || b.body != "x" {
				t.Errorf("%d: %+v %+v", status, a, b)
			}
		})
	}
}

func readAll(resp *http.Response) string {
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// TestLeaving: who leaves stops nobody, and when all have left the request ends.
func TestLeaving(t *testing.T) {
	for _, stays := range []int{0, 1, 2, -1} {
		synctest.Test(t, func(t *testing.T) {
			c, h := New(8<<20), newHost()
			var all []<-chan got
			var leave []func()
			for range 3 {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				all, leave = append(all, asks(ctx, t, c, h, "/a", "Bearer t")), append(leave, cancel)
				synctest.Wait()
			}
			sent := <-h.arrived
			for i := range leave {
				if i != stays {
					leave[i]()
					synctest.Wait()
				}
			}
			if ended := sent.Context().Err() != nil; ended != (stays < 0) {
				t.Errorf("%d stays: the request has ended: %v", stays, ended)
			}
			if stays >= 0 {
				h.answer(answerWith("x", ""), nil)
			}
			for i, one := range all {
				// The first gets an answer that he does not want any more, where it comes all the same.
				if g := <-one; i == stays && g.body != "x" || i > 0 && i != stays && !errors.Is(g.err, context.Canceled) {
					t.Errorf("%d stays: %d gets %+v", stays, i, g)
				}
			}
			unused(t, c)
		})
	}
}

// TestPatience: who waits too long for another's answer asks himself.
func TestPatience(t *testing.T) {
	inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
		first := ask("Bearer t")
		begin := time.Now()
		second := ask("Bearer t")
		time.Sleep(patience - 1)
		synctest.Wait()
		if n := len(h.arrived); n != 1 {
			t.Errorf("after %s %d requests have arrived", time.Since(begin), n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := len(h.arrived); n != 2 {
			t.Errorf("after %s %d requests have arrived", time.Since(begin), n)
		}
		h.answer(answerWith("x", ""), nil)
		h.answer(answerWith("x", ""), nil)
		if a, b := <-first, <-second; a.body != "x" || b.body != "x" || b.collapsed {
			t.Errorf("%+v %+v", a, b)
		}
	})
}

// TestFlightBounds: there are so many flights, of so many each; who is one more asks for himself.
func TestFlightBounds(t *testing.T) {
	inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
		var all []<-chan got
		for range maxPassengers + 2 {
			all = append(all, ask("Bearer t"))
		}
		if n := len(h.arrived); n != 3 {
			t.Errorf("%d requests arrived, want two of those who are too many", n)
		}
		for range 3 {
			h.answer(answerWith("x", ""), nil)
		}
		shared := 0
		for _, one := range all {
			if g := <-one; g.collapsed {
				shared++
			}
		}
		if shared != maxPassengers-1 {
			t.Errorf("%d shared the first's answer", shared)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, h := New(8<<20), newHost()
		var all []<-chan got
		for i := range maxFlights {
			all = append(all, asks(t.Context(), t, c, h, fmt.Sprint("/", i), "Bearer t"))
		}
		synctest.Wait()
		for range 2 {
			all = append(all, asks(t.Context(), t, c, h, "/more", "Bearer t"))
		}
		synctest.Wait()
		if n := len(h.arrived); n != maxFlights+2 {
			t.Errorf("%d requests arrived", n)
		}
		for range all {
			h.answer(answerWith("x", ""), nil)
		}
		for _, one := range all {
			<-one
		}
		unused(t, c)
	})
}

// TestSenderPanics: a fault of the sender's is the first's; the others ask for themselves.
func TestSenderPanics(t *testing.T) {
	inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
		first, second := ask("Bearer t"), ask("Bearer t")
		h.answers <- func() (*http.Response, Fate, error) { panic("a fault") }
		h.answer(answerWith("x", ""), nil)
		if a, b := <-first, <-second; !a.panicked || b.body != "x" || b.collapsed {
			t.Errorf("%+v %+v", a, b)
		}
	})
}

// broken is a body that breaks off.
type broken struct {
	io.Reader
	err    error
	closed bool
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		if b.err == nil {
			panic("a fault")
		}
		err = b.err
	}
	return n, err
}

func (b *broken) Close() error { b.closed = true; return nil }

// TestBrokenShared: where a shared body breaks off, all are told so.
func TestBrokenShared(t *testing.T) {
	for _, fault := range []error{errors.New("broken"), nil} {
		inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
			first, second := ask("Bearer t"), ask("Bearer t")
			body := &broken{Reader: strings.NewReader("half"), err: fault}
			resp := answerWith("", "")
			resp.Body, resp.ContentLength = body, 8
			h.answer(resp, nil)
			for _, one := range []<-chan got{first, second} {
				if g := <-one; g.body != "half" || g.err == nil || fault != nil && g.err != fault {
					t.Errorf("%+v", g)
				}
			}
			if !body.closed {
				t.Error("the body was not closed")
			}
		})
	}
}

// TestPaces: each reads a shared body at his own pace, from its beginning on while it comes; who leaves is woken.
func TestPaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := New(8<<20), newHost()
		reader, writer := io.Pipe()
		var responses []*http.Response
		ready := make(chan *http.Response)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		for i := range 3 {
			req, q := requestFor(t, "/a", "Bearer t")
			if i == 2 {
				req = req.WithContext(ctx)
			}
			go func() {
				resp, _, _, err := c.Do(&q, req, h)
				if err != nil {
					t.Error(err)
				}
				ready <- resp
			}()
			synctest.Wait()
		}
		resp := answerWith("", "")
		resp.Body, resp.ContentLength = reader, 100_000
		h.answer(resp, nil)
		byAsker := map[*http.Request]int{}
		for i := range 3 {
			r := <-ready
			byAsker[r.Request] = i
			responses = append(responses, r)
		}
		leaver := 0
		for i, r := range responses {
			if r.Request.Context() == ctx {
				leaver = i
			}
		}
		ended := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(responses[leaver].Body)
			ended <- err
		}()
		text := bytes.Repeat([]byte("0123456789"), 10_000)
		fast, slow := responses[(leaver+1)%3], responses[(leaver+2)%3]
		part := make([]byte, 40_000)
		go func() {
			for _, part := range [][]byte{text[:40_000], text[40_000:40_001], text[40_001:]} {
				_, _ = writer.Write(part)
				synctest.Wait()
			}
			writer.Close()
		}()
		if _, err := io.ReadFull(fast.Body, part); err != nil || !bytes.Equal(part, text[:40_000]) {
			t.Errorf("what has come is not there: %v", err)
		}
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("who has left reads %v", err)
		}
		responses[leaver].Body.Close()
		rest, err := io.ReadAll(fast.Body)
		if err != nil || !bytes.Equal(rest, text[40_000:]) {
			t.Errorf("%d octets more, %v", len(rest), err)
		}
		fast.Body.Close()
		if c.Stats().Used == 0 {
			t.Error("what one reads still counts nothing")
		}
		var all []byte
		for one := make([]byte, 7_777); err == nil; {
			var n int
			n, err = slow.Body.Read(one)
			all = append(all, one[:n]...)
		}
		if err != io.EOF || !bytes.Equal(all, text) {
			t.Errorf("the slow one read %d octets, %v", len(all), err)
		}
		slow.Body.Close()
		unused(t, c)
	})
}

// TestKeptIsShared: an answer that is kept is given to all, and counts until all have read it.
func TestKeptIsShared(t *testing.T) {
	inFlight(t, func(c *Cache, h *host, ask func(string) <-chan got) {
		req, q := requestFor(t, "/a", "Bearer t")
		fetch(t, c, &q, req, answerWith("kept", tagFor("kept", "Bearer t")), 1)
		kept := c.Find(&q, req.Header, 1, nil)
		first, second := ask("Bearer t"), ask("Bearer t")
		resp := answerWith("", "")
		resp.Body, resp.ContentLength = kept.Body(), kept.Length()
		kept.Release()
		h.answer(resp, nil)
		for _, one := range []<-chan got{first, second} {
			if g := <-one; g.body != "kept" || g.err != nil {
				t.Errorf("%+v", g)
			}
		}
	})
}
