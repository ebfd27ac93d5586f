package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/ending"
	"ghapp-proxy/h1"
	"ghapp-proxy/internal/poison"
	"ghapp-proxy/panics"
)

const (
	// relayBuffer is what a relayed request may have of head and body, in bytes.
	relayBuffer = 16 << 10
	// bodyPatience is for how long the rest of a small body is waited for.
	bodyPatience = 50 * time.Millisecond
	// leaveCheck is from when on it is watched whether the client of a request leaves:
	// most are answered before.
	leaveCheck = 250 * time.Millisecond
	// relayTick is how often shutdown looks for connections that have no request.
	relayTick = 5 * time.Millisecond
)

// relay serves HTTP/1.1 on intercepted connections: requests whose head is in the
// grammar of package h1, and whose body, if any, has come with it. Such a request goes
// to the handler that all go to. The first that is otherwise takes its connection to
// net/http, with what was not read yet, and there it stays.
//
// net/http's server reads on in a goroutine of its own while it handles a request, which
// costs as much as the request: that is begun here when a request takes long.
type relay struct {
	handler http.Handler
	note    func(net.Conn, http.ConnState)
	hand    func(net.Conn) // over to net/http
	log     *slog.Logger

	mu    sync.Mutex
	conns map[*relayConn]struct{}
	ended bool
}

// relayConn is a connection of the relay's. Its serve owns it.
type relayConn struct {
	takes deadline // of writes
	*insideConn
	relay *relay
	ctx   context.Context
	state tls.ConnectionState
	from  string // the client's address

	use  atomic.Int32 // one of the uses
	in   []byte       // relayBuffer large, nil between two requests
	made *memory      // of which the request under way is, nil between two
	read int          // octets in it
	one  [1]byte      // what in is for while there is none

	timer   *time.Timer     // calls watch
	watched chan struct{}   // watch has ended
	under   *ending.Context // the request under way
	left    bool            // the client
}

// The uses of a connection.
const (
	unused int32 = iota // by a request
	inUse
	closed // by others: no request begins
)

// buffers has those of requests and of answers.
var relayBuffers = sync.Pool{New: func() any { return new([relayBuffer]byte) }}

// serve serves a connection until it ends, or is net/http's.
func (l *relay) serve(conn *insideConn) {
	c := l.newConn(conn)
	given := false
	defer panics.Log(l.log, "a connection could not be served")
	defer func() {
		c.dropBuffer()
		l.remove(c)
		if !given {
			conn.Close()
			l.note(conn, http.StateClosed)
		}
	}()
	if !l.add(c) {
		return
	}
	l.note(conn, http.StateNew)
	for {
		if c.read == 0 && !c.first() {
			return
		}
		q, fate := c.next()
		switch fate {
		case fateOurs:
			if !c.answer(q) {
				return
			}
		case fateOthers:
			given = true
			c.handOver()
			return
		case fateGone:
			return
		}
	}
}

// newConn returns a connection of the relay's.
func (l *relay) newConn(conn *insideConn) *relayConn {
	c := &relayConn{insideConn: conn, relay: l, ctx: withSession(context.Background(), conn), state: conn.ConnectionState(), from: conn.RemoteAddr().String(), watched: make(chan struct{}, 1)}
	c.timer = time.AfterFunc(time.Hour, c.watch)
	c.timer.Stop()
	return c
}

// add counts a connection; false if no more are served.
func (l *relay) add(c *relayConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.conns[c] = struct{}{}
	}
	return !l.ended
}

func (l *relay) remove(c *relayConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// shutdown closes connections as they have no request, until there is none or ctx
// ends. Those that come meanwhile are closed, too.
func (l *relay) shutdown(ctx context.Context) error {
	tick := time.NewTicker(relayTick)
	defer tick.Stop()
	for l.closeUnused() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// closeUnused closes connections without a request, and returns how many there are yet.
func (l *relay) closeUnused() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for c := range l.conns {
		if c.use.CompareAndSwap(unused, closed) {
			go c.Close() // close_notify may wait for a client that does not read
		}
	}
	return len(l.conns)
}

// close closes all connections.
func (l *relay) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for c := range l.conns {
		c.use.Store(closed)
		go closeNow(c.NetConn())
	}
}

// fate is what becomes of a connection.
type fate int

const (
	fateGone   fate = iota // it ends
	fateOurs               // it has a request for the relay
	fateOthers             // it goes to net/http
)

// relayed is a request of the relay's.
type relayed struct {
	*http.Request
	names []h1.Name // of its fields, as they came
	body  []byte    // nil for none
}

// next reads the next request, which has begun.
func (c *relayConn) next() (q relayed, f fate) {
	c.fillBuffer()
	if !c.use.CompareAndSwap(unused, inUse) {
		return q, fateGone
	}
	size := h1.HeadSize(c.in[:c.read])
	if size == 0 {
		if f := c.readUntil(headTimeout, func() bool { size = h1.HeadSize(c.in[:c.read]); return size > 0 }); f != fateOurs {
			return q, f
		}
	}
	ok := false
	c.made = newMemory()
	q.Request, q.names, ok = h1.ParseRequest(string(c.in[:size]), &c.made.asked)
	if !ok || q.ContentLength > int64(relayBuffer-size) {
		return q, fateOthers
	}
	whole := size + int(q.ContentLength)
	if c.read < whole {
		if f := c.readUntil(bodyPatience, func() bool { return c.read >= whole }); f != fateOurs {
			return q, f
		}
	}
	if q.ContentLength > 0 {
		q.body = bytes.Clone(c.in[size:whole])
	}
	if c.read = copy(c.in, c.in[whole:c.read]); c.read == 0 {
		c.dropBuffer()
	}
	return q, fateOurs
}

// first waits for the first octet of a request. The buffer is nobody's meanwhile. The
// first request of a connection must come in time; idleLimit sees to the others.
func (c *relayConn) first() bool {
	fresh := !c.session().used.Load()
	if fresh && c.SetReadDeadline(time.Now().Add(headTimeout)) != nil {
		return false
	}
	n, err := readIdle(c.Conn, rawUnder(c.NetConn()), c.one[:])
	if err != nil && n == 0 {
		return false
	}
	c.read = n
	return !fresh || c.SetReadDeadline(time.Time{}) == nil
}

// fillBuffer takes a buffer for what was read, and reads what else has come of the
// same record. A client that sends an octet and no more is still idle.
func (c *relayConn) fillBuffer() {
	if c.in != nil {
		return
	}
	c.in = relayBuffers.Get().(*[relayBuffer]byte)[:]
	c.in[0] = c.one[0]
	if n, err := c.Conn.Read(c.in[c.read:]); err == nil {
		c.read += n
	}
}

func (c *relayConn) dropBuffer() {
	if c.in != nil {
		poison.Over(c.in)
		relayBuffers.Put((*[relayBuffer]byte)(c.in))
		c.in = nil
	}
}

// readUntil reads on until enough is there. What does not come in time, or does not
// fit, is net/http's.
func (c *relayConn) readUntil(patience time.Duration, enough func() bool) fate {
	if c.SetReadDeadline(time.Now().Add(patience)) != nil {
		return fateGone
	}
	for !enough() {
		if c.read == len(c.in) {
			return fateOthers
		}
		n, err := c.Conn.Read(c.in[c.read:])
		c.read += n
		if err != nil && n == 0 {
			return fateOthers // which meets the error again
		}
	}
	if c.SetReadDeadline(time.Time{}) != nil {
		return fateGone
	}
	return fateOurs
}

// handOver gives the connection to net/http with what was read of it.
func (c *relayConn) handOver() {
	if c.SetReadDeadline(time.Time{}) != nil || c.takes.lift(c.SetWriteDeadline) != nil {
		c.Close()
		return
	}
	c.session().idle.stop() // net/http's StateNew starts it again
	c.relay.hand(&insideConn{Conn: c.insideConn.Conn, unread: bytes.Clone(c.in[:c.read])})
}

// session is the connection under the TLS.
func (c *relayConn) session() *interceptedConn { return c.NetConn().(*interceptedConn) }

// answer has a request handled, and reports whether another can follow.
func (c *relayConn) answer(q relayed) (more bool) {
	r := q.Request
	ctx, w := new(ending.Context), &c.made.writer
	ctx.Of(c.ctx)
	defer ctx.End()
	r.RemoteAddr, r.TLS, r.Body = c.from, &c.state, http.NoBody
	if q.body != nil {
		r.Body = &bodyInHand{q.body}
	}
	*r = *r.WithContext(ctx) // nobody else has it yet
	c.relay.note(c.insideConn, http.StateActive)
	c.under = ctx
	c.timer.Reset(leaveCheck)
	w.begin((*gathering)(c), &c.takes, r, q.names, ctx)
	w.part = c.made
	if more = c.handle(w, r); more {
		more = w.finish()
	} else {
		w.abort()
	}
	w.release()
	if !c.endWatch() {
		return false
	}
	ctx.End()
	if more {
		c.made.release()
	}
	c.under, c.made = nil, nil // an idle connection keeps nothing of it
	c.relay.note(c.insideConn, http.StateIdle)
	return more && c.use.CompareAndSwap(inUse, unused)
}

// gathering is a relayConn as answers are written to it: the records of one Write leave in
// one write.
type gathering relayConn

// Write implements net.Conn.
func (c *gathering) Write(p []byte) (int, error) {
	if len(p) <= maxPlaintext {
		return c.Conn.Write(p)
	}
	under := (*relayConn)(c).session()
	under.records.begin()
	n, err := c.Conn.Write(p)
	if unsent := under.records.end(under.Conn); unsent != nil {
		return 0, unsent
	}
	return n, err
}

// handle has a request handled, and reports whether it was answered whole.
func (c *relayConn) handle(w *answerWriter, r *http.Request) (whole bool) {
	defer func() {
		if aborted := recover(); aborted != nil && aborted != http.ErrAbortHandler {
			fault := panics.Recovered(aborted) // attend has logged those of the request
			c.relay.log.Error("a request could not be ended", "error", fault, "stack", string(fault.Stack))
		}
	}()
	c.relay.handler.ServeHTTP(w, r)
	return true
}

// watch is what the timer calls: a request takes long. It reads on, and cancels the
// request if the client leaves. What comes is the next request.
func (c *relayConn) watch() {
	defer func() { c.watched <- struct{}{} }()
	to := c.one[:]
	if c.in != nil {
		to = c.in[c.read:min(c.read+1, len(c.in))]
	}
	n, err := c.Conn.Read(to)
	c.read += n
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.left = true
		c.under.End()
	}
}

// endWatch ends the watch, and reports whether the client is there yet.
func (c *relayConn) endWatch() bool {
	if c.timer.Stop() {
		return true
	}
	err := c.SetReadDeadline(longAgo)
	<-c.watched
	return err == nil && !c.left && c.SetReadDeadline(time.Time{}) == nil
}
