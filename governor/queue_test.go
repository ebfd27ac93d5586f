package governor

import (
	"strings"
	"testing"
)

// told is a queue, and whom it let leave.
type told struct {
	*queue
	names []string
}

// waits adds n requests of a client.
func (q *told) waits(name string, class Class, weight, n int) (last *waiter) {
	for range n {
		last = &waiter{class: class}
		q.add(last, name, weight)
	}
	return last
}

// serve lets the next n leave.
func (q *told) serve(n int) {
	for range n {
		class, ok := q.next([classes]bool{})
		if !ok {
			q.names = append(q.names, "nobody")
			return
		}
		w := q.first(class)
		q.remove(w)
		q.charge(w.of, costOf[class].points)
		q.names = append(q.names, w.of.name)
	}
}

// TestTurns: whose turn it is.
func TestTurns(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(q *told)
		want string
	}{
		{"who came first", func(q *told) {
			q.waits("a", Read, 1, 1)
			q.waits("b", Query, 1, 1)
			q.waits("c", Read, 1, 1)
			q.serve(4)
		}, "a b c nobody"},
		{"in turn", func(q *told) {
			q.waits("a", Read, 1, 3)
			q.waits("b", Read, 1, 2)
			q.serve(5)
		}, "a b a b a"},
		{"five points for one", func(q *told) {
			q.waits("a", Write, 1, 2)
			q.waits("b", Read, 1, 8)
			q.serve(8)
		}, "a b b b b b a b"},
		{"by weight", func(q *told) {
			q.waits("a", Read, 1, 3)
			q.waits("b", Read, 3, 8)
			q.serve(8)
		}, "a b b b a b b b"},
		{"no weight is one", func(q *told) {
			q.waits("a", Read, 0, 3)
			q.waits("b", Read, 0, 2)
			q.serve(5)
		}, "a b a b a"},
		{"of all classes", func(q *told) {
			q.waits("a", Search, 1, 2)
			q.waits("b", Read, 1, 2)
			q.waits("c", Mint, 1, 1)
			q.serve(5)
		}, "a b c a b"},
		{"who comes has no claim on what was before", func(q *told) {
			q.waits("old", Read, 1, 10)
			q.serve(5)
			q.waits("new", Read, 1, 3)
			q.serve(6)
		}, "old old old old old new old new old new old"},
		{"nor who comes again", func(q *told) {
			q.waits("a", Read, 1, 1)
			q.waits("b", Read, 1, 12)
			q.serve(7)
			q.waits("a", Read, 1, 3)
			q.serve(4)
		}, "a b b b b b b a b a b"},
		{"what one had counts when it comes again", func(q *told) {
			q.waits("a", Write, 1, 1)
			q.waits("b", Read, 1, 9)
			q.serve(1)
			q.waits("a", Read, 1, 1)
			q.serve(7)
		}, "a b b b b b b a"},
		{"who waits on keeps its turn, and newcomers begin where others are", func(q *told) {
			q.waits("a", Write, 1, 1)
			q.waits("b", Read, 1, 20)
			for range 5 { // while writes are stuck
				w := q.first(Read)
				q.remove(w)
				q.charge(w.of, 1)
			}
			q.waits("a", Write, 1, 1)
			q.serve(1)
			q.waits("c", Read, 1, 5)
			q.serve(6)
		}, "a c b a c b c"},
		{"who leaves from the front", func(q *told) {
			gone := q.waits("a", Read, 1, 1)
			q.waits("a", Read, 1, 1)
			q.remove(gone)
			q.waits("a", Read, 1, 1)
			q.serve(3)
		}, "a a nobody"},
		{"who leaves is passed over", func(q *told) {
			gone := q.waits("a", Read, 1, 1)
			q.waits("b", Read, 1, 1)
			q.waits("a", Read, 1, 1)
			middle := q.waits("a", Read, 1, 1)
			q.waits("a", Read, 1, 1)
			last := q.waits("a", Read, 1, 1)
			q.remove(gone)
			q.remove(middle)
			q.remove(last)
			q.waits("a", Read, 1, 1)
			q.serve(5)
		}, "b a a a nobody"},
	} {
		q := &told{queue: newQueue()}
		test.do(q)
		if got := strings.Join(q.names, " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestAhead: how much of a limit those take that wait.
func TestAhead(t *testing.T) {
	q := &told{queue: newQueue()}
	q.waits("a", Read, 1, 3)
	q.waits("b", Write, 1, 2)
	q.waits("b", CreateMutation, 1, 1)
	q.waits("c", Mint, 1, 1)
	want := func(points, graphQL, pauses, creations int) {
		t.Helper()
		got := [...]int{q.ahead(Points), q.ahead(GraphQLPoints), q.ahead(WritePause), q.ahead(CreationsAnHour)}
		if got != [...]int{points, graphQL, pauses, creations} {
			t.Errorf("%v are ahead", got)
		}
	}
	want(3+10+5, 5, 3, 1)
	q.serve(1)
	want(2+10+5, 5, 3, 1)
	q.serve(10)
	want(0, 0, 0, 0)
}
