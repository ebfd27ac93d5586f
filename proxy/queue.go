package proxy

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueFor is how long a request or a connection that is too much waits for
	// its turn, unless Options.Patience says otherwise.
	queueFor = 10 * time.Second
	// maxQueued bounds what waits so of one client.
	maxQueued = 1000
)

// queue lets so many requests of a client be under way at once, and others wait
// for their turn. Connections take turns, so that one with many requests does not
// keep the others waiting. The zero value has nothing under way. While nothing
// waits, it takes one atomic operation to begin a request, and one to end it.
type queue[C comparable] struct {
	running atomic.Int64
	waiting atomic.Int64 // in turns

	mu    sync.Mutex
	lines map[C]*line[C] // connection → what waits on it
	turns list.List      // of *line[C], the next first
}

// line is what waits on a connection.
type line[C comparable] struct {
	conn    C
	waiters list.List // of chan struct{}, which is closed when it is their turn
	turn    *list.Element
}

// begin begins a request of a connection if fewer than most are under way; 0 is
// any number. Else it waits as long as patience says. It reports whether the
// request may begin: end is to be called then.
func (q *queue[C]) begin(ctx context.Context, conn C, most int, patience time.Duration) bool {
	if most == 0 {
		q.running.Add(1)
		return true
	}
	if q.waiting.Load() == 0 && q.take(most) {
		return true
	}
	turn, place := q.join(conn, most)
	if turn == nil {
		return false
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return !q.leave(conn, turn, place)
}

// end ends what begin began.
func (q *queue[C]) end(most int) {
	q.running.Add(-1)
	if q.waiting.Load() > 0 {
		q.mu.Lock()
		q.next(most)
		q.mu.Unlock()
	}
}

// take counts a request unless there are most already.
func (q *queue[C]) take(most int) bool {
	for {
		n := q.running.Load()
		if most > 0 && n >= int64(most) {
			return false
		}
		if q.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// join adds a request to those that wait, and returns what is closed when it is its
// turn, which may be at once; nil if too many wait.
func (q *queue[C]) join(conn C, most int) (turn chan struct{}, place *list.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting.Load() >= maxQueued {
		return nil, nil
	}
	l := q.lines[conn]
	if l == nil {
		if q.lines == nil {
			q.lines = make(map[C]*line[C])
		}
		l = &line[C]{conn: conn}
		q.lines[conn], l.turn = l, q.turns.PushBack(l)
	}
	turn = make(chan struct{})
	place = l.waiters.PushBack(turn)
	q.waiting.Add(1)
	q.next(most) // what has ended meanwhile did not see it
	return turn, place
}

// next lets requests begin for which there is room: of each connection in turn.
func (q *queue[C]) next(most int) {
	for q.turns.Len() > 0 && q.take(most) {
		l := q.turns.Front().Value.(*line[C])
		first := l.waiters.Front()
		q.remove(l, first)
		if l.waiters.Len() > 0 {
			q.turns.MoveToBack(l.turn)
		}
		close(first.Value.(chan struct{}))
	}
}

// remove takes a waiter out.
func (q *queue[C]) remove(l *line[C], place *list.Element) {
	l.waiters.Remove(place)
	q.waiting.Add(-1)
	if l.waiters.Len() == 0 {
		delete(q.lines, l.conn)
		q.turns.Remove(l.turn)
	}
}

// leave takes a waiter out, and reports whether it still waited: else it is its
// turn.
func (q *queue[C]) leave(conn C, turn chan struct{}, place *list.Element) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-turn:
		return false
	default:
		q.remove(q.lines[conn], place)
		return true
	}
}
