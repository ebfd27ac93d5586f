package cache

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestPacked: texts of all lengths are as before.
func TestPacked(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16<<10 - 1, 16 << 10, 1 << 20} {
		long := strings.Repeat("a", n)
		want := []field{{"A", long}, {long, ""}, {"", "B"}}
		if got := packed(appendFields(nil, want)).fields(nil); !reflect.DeepEqual(got, want) {
			t.Errorf("of %d octets: %d fields, %.50v", n, len(got), got)
		}
	}
	if got := packed("").fields(nil); got != nil {
		t.Errorf("of nothing: %v", got)
	}
	q := Question{Who{"k", 1 << 60, -2, "own"}, "host", strings.Repeat("t", maxTarget), "accept", "encoding", "agent", "version", 7}
	got := packed(q.appendTo(nil)).question()
	if !got.same(&q) || got.sum != 0 {
		t.Errorf("%+v, want %+v", got, q)
	}
	if other := q; other.same(&Question{}) {
		t.Error("all are the same")
	}
}

// TestHash: each part of a Question is in its hash.
func TestHash(t *testing.T) {
	q, _ := QuestionOf(&http.Request{Method: "GET", Header: http.Header{}}, "h", "/t", Who{"k", 1, 2, "o"})
	seen := map[uint64]string{q.sum: "the first"}
	for i, change := range []func(*Question){
		func(q *Question) { q.Kind = "x" }, func(q *Question) { q.App++ }, func(q *Question) { q.Installation++ }, func(q *Question) { q.Own = "x" },
		func(q *Question) { q.host = "x" }, func(q *Question) { q.target = "x" }, func(q *Question) { q.accept = "x" }, func(q *Question) { q.encoding = "x" },
		func(q *Question) { q.userAgent = "x" }, func(q *Question) { q.apiVersion = "x" },
	} {
		other := q
		change(&other)
		if before := seen[other.hash()]; before != "" {
			t.Errorf("change %d has the hash of %s", i, before)
		}
		seen[other.hash()] = fmt.Sprint("change ", i)
	}
}

// TestSameHash: of two Questions with one hash the later one's answers are kept, and neither is given the other's.
func TestSameHash(t *testing.T) {
	c := New(1 << 20)
	var questions []Question
	for _, target := range []string{"/a", "/b"} {
		req, q := requestFor(t, target, "Bearer t")
		q.sum = 1
		questions = append(questions, q)
		for viewer := range uint64(2) {
			body := fmt.Sprint(target, viewer)
			fetch(t, c, &q, req, answerWith(body, tagFor(body, "Bearer t")), viewer)
			a := c.Find(&q, req.Header, viewer, nil)
			if a == nil {
				t.Fatalf("%s is not kept", body)
			}
			if text, _ := io.ReadAll(a.Body()); string(text) != body {
				t.Errorf("%s is %q", body, text)
			}
			a.Release()
		}
		for i, other := range questions[:len(questions)-1] {
			if c.Find(&other, req.Header, 1, nil) != nil {
				t.Errorf("there is an answer to question %d, after %s", i, target)
			}
			tag, _, _ := parseTag(tagFor(target+"1", "Bearer t"))
			if c.confirm(&other, tag, req.Header, 1) {
				t.Errorf("the answer to %s is one to question %d", target, i)
			}
		}
	}
	if s := c.Stats(); s.Answers != 2 || len(c.views) != 1 || c.recent.last == c.recent.first {
		t.Errorf("%+v", s)
	}
}

// TestRecent: the list is what it is told to be, whichever leaves it.
func TestRecent(t *testing.T) {
	var r recent
	all := []*Answer{{sum: 0}, {sum: 1}, {sum: 2}, {sum: 3}}
	for _, a := range all {
		r.add(a)
	}
	for _, step := range []struct {
		leaves int
		want   string
	}{{-1, "3210"}, {2, "310"}, {3, "10"}, {0, "1"}, {1, ""}} {
		if step.leaves >= 0 {
			r.remove(all[step.leaves])
		}
		forth, back := "", ""
		for a := r.first; a != nil; a = a.place.after {
			forth += fmt.Sprint(a.sum)
		}
		for a := r.last; a != nil; a = a.place.before {
			back = fmt.Sprint(a.sum) + back
		}
		if forth != step.want || back != step.want || r.length != len(step.want) {
			t.Errorf("after %d has left: %q, from behind %q, %d, want %q", step.leaves, forth, back, r.length, step.want)
		}
	}
}

// TestUpdateKeepsQuestion: what a 304 changes of the fields leaves an answer that to its question, which others find.
func TestUpdateKeepsQuestion(t *testing.T) {
	c := New(1 << 20)
	a := keeps(t, c, "/a", "Bearer t", "{}", func(r *http.Response) { r.Header["X-Old"] = []string{strings.Repeat("a", 9000)} })
	a.Freshen(http.Header{"X-Old": {"short"}, "X-New": {"1", "2"}}, "x", 1)
	if finds(t, c, "/a", "Bearer t", 2) != a || finds(t, c, "/b", "Bearer t", 2) != nil {
		t.Error("it is the answer to another question")
	}
	if want := costOf(len(a.asks)+len(a.header), len(a.header.fields(nil)), &a.selects) + int64(chunkSizes[0]); a.cost > want || len(a.header) > 500 {
		t.Errorf("it costs %d, want %d; its fields are %d octets", a.cost, want, len(a.header))
	}
	if got := a.Freshen(http.Header{}, "x", 1); got.Get("X-Old") != "short" || fmt.Sprint(got["X-New"]) != "[1 2]" || got.Get("Vary") != "Accept, Authorization" {
		t.Errorf("%v", got)
	}
}
