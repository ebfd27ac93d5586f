package governor

import (
	"container/heap"
	"time"
)

// queue are the requests that wait for a bucket: in a line for each client and class. The next of a class is
// the client's that had the fewest points, by its weight; of one client it is who came first.
type queue struct {
	lanes   [classes]lane
	clients map[string]*client
	served  float64 // what the client had that was served last, or one before it: whoever comes begins with it
	waiting int
	serial  uint64
}

// client is one whose requests wait, or waited since there was somebody last.
type client struct {
	name    string
	had     float64 // points by weight
	weight  float64
	waiting int
	lines   [classes]line
}

// line are the requests of a client and a class that wait.
type line struct {
	first, last *waiter
	at          int // in its lane
}

// waiter is a request that waits.
type waiter struct {
	of         *client
	class      Class
	serial     uint64
	since      time.Duration
	until      time.Duration
	share      *share
	next, prev *waiter
	ready      chan struct{}
	served     bool     // it may leave
	refused    *Refusal // it may not
}

// lane are the clients that wait with one class, as a heap.
type lane struct {
	class   Class
	of      []*client
	waiting int // requests of theirs
}

func newQueue() *queue {
	q := &queue{clients: make(map[string]*client)}
	for c := range q.lanes {
		q.lanes[c].class = Class(c)
	}
	return q
}

func (l *lane) Len() int { return len(l.of) }

func (l *lane) Less(i, j int) bool { return before(l.of[i], l.of[j], l.class, l.class) }

func (l *lane) Swap(i, j int) {
	l.of[i], l.of[j] = l.of[j], l.of[i]
	l.of[i].lines[l.class].at, l.of[j].lines[l.class].at = i, j
}

// Push implements heap.Interface.
func (l *lane) Push(c any) {
	c.(*client).lines[l.class].at = len(l.of)
	l.of = append(l.of, c.(*client))
}

// Pop implements heap.Interface.
func (l *lane) Pop() any {
	last := l.of[len(l.of)-1]
	l.of[len(l.of)-1] = nil
	l.of = l.of[:len(l.of)-1]
	return last
}

// before reports whether the first of a client's line comes before that of another's.
func before(a, b *client, of, than Class) bool {
	if a.had != b.had {
		return a.had < b.had
	}
	return a.lines[of].first.serial < b.lines[than].first.serial
}

// add puts a waiter at the end of its client's line.
func (q *queue) add(w *waiter, name string, weight int) {
	c := q.clients[name]
	if c == nil {
		c = &client{name: name}
		q.clients[name] = c
	}
	c.weight = float64(max(weight, 1))
	if c.waiting == 0 {
		c.had = max(c.had, q.served) // time in which it wanted nothing is no claim
		// No line of it waits, so that no lane has to be put in order.
	}
	q.serial++
	w.of, w.serial = c, q.serial
	q.waiting++
	q.lanes[w.class].waiting++
	c.waiting++
	l := &c.lines[w.class]
	if l.first == nil {
		l.first, l.last = w, w
		heap.Push(&q.lanes[w.class], c)
		return
	}
	w.prev, l.last.next, l.last = l.last, w, w
}

// next is the class whose first is next among all but some.
func (q *queue) next(but [classes]bool) (class Class, ok bool) {
	for c := range q.lanes {
		if but[c] || len(q.lanes[c].of) == 0 {
			continue
		}
		if !ok || before(q.lanes[c].of[0], q.lanes[class].of[0], Class(c), class) {
			class, ok = Class(c), true
		}
	}
	return class, ok
}

// first is who is next in a class that somebody waits in.
func (q *queue) first(c Class) *waiter { return q.lanes[c].of[0].lines[c].first }

// remove takes a waiter out of its line.
func (q *queue) remove(w *waiter) {
	l := &w.of.lines[w.class]
	wasFirst := l.first == w
	if wasFirst {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.last = w.prev
	}
	w.next, w.prev = nil, nil
	q.waiting--
	q.lanes[w.class].waiting--
	w.of.waiting--
	switch {
	case l.first == nil:
		heap.Remove(&q.lanes[w.class], l.at)
	case wasFirst:
		heap.Fix(&q.lanes[w.class], l.at)
	}
}

// charge counts what a client has had.
func (q *queue) charge(c *client, points int) {
	q.served = max(q.served, c.had)
	c.had += float64(points) / c.weight
	for class := range c.lines {
		if l := &c.lines[class]; l.first != nil {
			heap.Fix(&q.lanes[class], l.at)
		}
	}
}

// ahead is how much of a limit those take that wait.
func (q *queue) ahead(l Limit) (n int) {
	for c := range q.lanes {
		if cost := &costOf[c]; cost.needs&l.bit() != 0 {
			n += q.lanes[c].waiting * cost.takes(l)
		}
	}
	return n
}
