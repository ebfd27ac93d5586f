package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"ghapp-proxy/ending"
	"ghapp-proxy/h1"
	"ghapp-proxy/panics"
)

const (
	// idle is how long a connection is kept on which nothing is under way: less
	// than the 60 seconds after which GitHub is reported to close it
	// (sourcegraph/sourcegraph-public-snapshot pull request 4345).
	idle = 50 * time.Second
	// answerPatience is how long the head of an answer may take: git and archives
	// think for long.
	answerPatience = 10 * time.Minute
	// tlsPatience is how long a TLS handshake with a host may take.
	tlsPatience = 15 * time.Second
	// maxIdlePerHost bounds the connections that are kept to a host, on which
	// nothing is under way.
	maxIdlePerHost = 256
	// maxInterim is how many answers may come before the final one.
	maxInterim = 5
	// maxPooledBody bounds the body of a request of the pool's, in bytes: it is written
	// before the answer is read, so it must fit into what the system keeps of it.
	maxPooledBody = 16 << 10
	// readSize is that of a connection's buffer. It is larger than what bodies are
	// copied through, and than a TLS record: so all reads go through the buffer, and
	// each takes all that there is of a record.
	readSize = copyBufferSize + 2<<10
)

// pool sends requests over connections of HTTP/1.1 to served hosts, which it keeps.
// net/http's Transport does the same with two goroutines for each connection, which
// hand over each request and each answer: that costs more than all else a proxy does.
// Here the caller writes and reads.
//
// It takes requests that may be repeated, with no body or a small one, which are
// most. All else is left to net/http.
type pool struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	direct func(*url.URL) bool // no other proxy is on the way to a URL
	config *tls.Config

	mu      sync.Mutex
	idle    map[string][]*poolConn // host of a URL → the one that was used last at the end
	sweeper *time.Timer            // nil where nothing is idle
	closing bool                   // close was called, and no request came since
}

// takes reports whether the pool can send a request.
func (p *pool) takes(req *http.Request) bool {
	if p == nil || !canPeek || req.URL.Scheme != "https" || !p.direct(req.URL) || req.Header["Expect"] != nil || req.Header["Upgrade"] != nil || len(req.Trailer) > 0 {
		return false
	}
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil && 0 < req.ContentLength && req.ContentLength <= maxPooledBody
}

// roundTrip sends a request. On a new connection if fresh; x is what it is for, nil for
// a request of the proxy's own. The body of the answer must be closed.
func (p *pool) roundTrip(req *http.Request, x *exchange, fresh bool) (resp *http.Response, reused bool, err error) {
	var conn *poolConn
	if !fresh {
		conn = p.take(req.URL.Host)
	}
	reused = conn != nil
	if conn == nil {
		if conn, err = p.connect(req.Context(), req.URL); err != nil {
			return nil, false, err
		}
	}
	if x != nil {
		x.noteSent(x.asked)
	}
	resp, err = conn.do(req, x)
	return resp, reused, err
}

// take returns an idle connection, nil if there is none that lives.
func (p *pool) take(host string) *poolConn {
	for {
		p.mu.Lock()
		p.closing = false
		list := p.idle[host]
		if len(list) == 0 {
			p.mu.Unlock()
			return nil
		}
		conn := list[len(list)-1]
		p.idle[host] = list[:len(list)-1]
		p.mu.Unlock()
		if time.Since(conn.since) < idle && conn.isQuiet() {
			return conn
		}
		conn.Close()
	}
}

// put keeps a connection on which nothing is under way.
func (p *pool) put(conn *poolConn) {
	conn.since = time.Now()
	conn.records.rest()
	p.mu.Lock()
	list := p.idle[conn.host]
	if p.closing || len(list) >= maxIdlePerHost {
		p.mu.Unlock()
		conn.Close()
		return
	}
	p.idle[conn.host] = append(list, conn)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(idle/5, p.sweep)
	}
	p.mu.Unlock()
}

// sweep closes connections that were idle for too long.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeper = nil
	for host, list := range p.idle {
		old := 0
		for old < len(list) && time.Since(list[old].since) >= idle {
			list[old].Close()
			old++
		}
		if list = append(list[:0], list[old:]...); len(list) == 0 {
			delete(p.idle, host)
			continue
		}
		p.idle[host] = list
	}
	if len(p.idle) > 0 {
		p.sweeper = time.AfterFunc(idle/5, p.sweep)
	}
}

// close closes what is idle, and what becomes idle before another request comes.
func (p *pool) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for _, list := range p.idle {
		for _, conn := range list {
			conn.Close()
		}
	}
	clear(p.idle)
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
}

// errSlowHandshake is for a host that does not finish the TLS handshake.
type errSlowHandshake struct{}

func (errSlowHandshake) Error() string { return "timeout of the TLS handshake" }
func (errSlowHandshake) Timeout() bool { return true }

// connect opens a connection.
func (p *pool) connect(ctx context.Context, to *url.URL) (*poolConn, error) {
	raw, err := p.dial(ctx, "tcp", hostPort(to))
	if err != nil {
		return nil, err
	}
	config := p.config.Clone()
	config.ServerName = to.Hostname()
	records := &recordConn{Conn: newRawSocket(raw)}
	conn := &poolConn{Conn: tls.Client(records, config), records: records, socket: newSocket(raw), pool: p, host: to.Host, left: -1}
	patience, cancel := context.WithTimeoutCause(ctx, tlsPatience, errSlowHandshake{})
	defer cancel()
	if err := conn.HandshakeContext(patience); err != nil {
		raw.Close()
		if ctx.Err() == nil && patience.Err() != nil {
			err = errSlowHandshake{}
		}
		return nil, err
	}
	state := conn.ConnectionState()
	conn.state = &state
	conn.in = bufio.NewReaderSize((*limitedConn)(conn), readSize)
	conn.out = bufio.NewWriterSize(conn, 4<<10)
	return conn, nil
}

// poolConn is a connection to a host. Whoever has taken it from the pool owns it.
type poolConn struct {
	*tls.Conn
	answers deadline // for their heads
	records *recordConn
	pool    *pool
	socket  *socket
	host    string
	state   *tls.ConnectionState
	since   time.Time // when it became idle
	in      *bufio.Reader
	out     *bufio.Writer
	left    int64 // octets that the head of an answer may still have; negative for no limit
	more    bool  // the last read may have left something of what had come
}

// isQuiet reports whether the connection lives, and nothing has come over it that was
// not read: an answer that comes before its request is none.
func (c *poolConn) isQuiet() bool {
	return c.in.Buffered() == 0 && !c.records.pending() && c.socket.isQuiet()
}

// limitedConn is a poolConn as it is read.
type limitedConn poolConn

// errLargeHead has the text by which isLargeHead knows it.
var errLargeHead = fmt.Errorf("server response headers exceeded %d bytes", maxAnswerHead)

// Read implements io.Reader.
func (c *limitedConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errLargeHead
	}
	whole := p
	if c.left > 0 && int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	c.more = n == len(p) || len(p) < len(whole)
	if c.left > 0 {
		c.left -= int64(n)
	}
	return n, err
}

// do sends a request, and reads the head of its answer.
func (c *poolConn) do(req *http.Request, x *exchange) (resp *http.Response, err error) {
	ctx := req.Context()
	body := &pooledBody{conn: c}
	body.left.Begin(ctx, c)
	defer func() {
		if err == nil {
			return
		}
		body.left.Stop()
		c.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	if err := c.write(req, x); err != nil {
		return nil, err
	}
	if err := c.answers.renew(answerPatience, c.SetReadDeadline); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // its deadline may have been before ours
	}
	resp, names, err := c.read(req, x)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength < 0 || resp.ContentLength > int64(c.in.Buffered()) { // else all of it is there
		if err := c.answers.lift(c.SetReadDeadline); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err() // its deadline may have been before ours
		}
	}
	resp.TLS = c.state
	body.ReadCloser, body.names = resp.Body, names
	body.keep = endsPlainly(resp, names)
	resp.Body = body
	if body.ReadCloser == http.NoBody {
		body.end()
		resp.Body = http.NoBody
		if x != nil {
			x.bodiless = names
		}
	}
	return resp, nil
}

// endsPlainly reports whether it is beyond doubt where an answer ends, so that another can
// follow it: its head is in the grammar, and says so once (RFC 9112, sections 6.1 and 11.2).
func endsPlainly(resp *http.Response, names []h1.Name) bool {
	framed := 0
	for _, name := range names {
		if name.Key == "Content-Length" || name.Key == "Transfer-Encoding" {
			framed++
		}
	}
	return resp.Proto == "HTTP/1.1" && resp.StatusCode >= 200 && !resp.Close && names != nil && framed <= 1 && (resp.StatusCode != http.StatusNoContent || framed == 0)
}

// Ended implements ending.Waiter: nobody wants the answer any more.
func (c *poolConn) Ended() { c.SetDeadline(longAgo) }

// write writes a request.
func (c *poolConn) write(req *http.Request, x *exchange) (err error) {
	if x != nil && (x.names != nil || isPlainHead(req)) {
		err = writeRequest(c.out, req, x.names)
	} else {
		err = req.Write(c.out)
	}
	if err != nil {
		return err
	}
	return c.out.Flush()
}

// read reads the head of the final answer, and passes on those before it.
func (c *poolConn) read(req *http.Request, x *exchange) (resp *http.Response, names []h1.Name, err error) {
	c.left = maxAnswerHead
	defer func() { c.left = -1 }()
	if _, err := c.in.Peek(1); err != nil {
		return nil, nil, headFault(err) // the host has closed it without an octet
	}
	for range maxInterim + 1 {
		resp, names, err := h1.ReadResponse(c.in, req, x.lendHead())
		switch {
		case err != nil:
			return nil, nil, headFault(fmt.Errorf("%s: %w", textBroken, err))
		case resp.StatusCode >= 200, resp.StatusCode < 100, resp.StatusCode == http.StatusSwitchingProtocols:
			return resp, names, nil
		case x != nil:
			x.passInterim(resp.StatusCode, resp.Header)
		}
	}
	return nil, nil, fmt.Errorf("%s: more than %d interim answers", textBroken, maxInterim)
}

// errSlowAnswer is for a host that thinks for too long.
type errSlowAnswer struct{ error }

func (e errSlowAnswer) Error() string { return textHeadWait }
func (e errSlowAnswer) Timeout() bool { return true }

// headFault is why there is no head of an answer.
func headFault(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) { // ours: a path that is dead times out, too
		return errSlowAnswer{err}
	}
	return err
}

// pooledBody is the body of an answer. Its connection is kept when it has been read to
// its end, and closed otherwise.
type pooledBody struct {
	io.ReadCloser
	conn  *poolConn
	names []h1.Name    // of the head's fields
	left  ending.Watch // whoever wants the answer
	keep  bool         // another request can follow

	mu    sync.Mutex
	ended bool
}

// Read implements io.Reader.
func (b *pooledBody) Read(p []byte) (n int, err error) {
	defer panics.Catch(&err)
	n, err = b.ReadCloser.Read(p)
	if err != nil {
		b.keep = b.keep && err == io.EOF
		b.end()
	}
	return n, err
}

// Close implements io.Closer.
func (b *pooledBody) Close() error {
	b.mu.Lock()
	ended := b.ended
	b.mu.Unlock()
	if !ended {
		b.keep = false
		b.end()
	}
	return nil
}

// HasArrived reports whether the beginning is there already.
func (b *pooledBody) HasArrived() bool { return b.conn.in.Buffered() > 0 }

// hasArrived reports whether the beginning of an answer's body is there already.
func hasArrived(body io.Reader) bool {
	b, ok := innermost(body).(interface{ HasArrived() bool })
	return ok && b.HasArrived()
}

// namesOf are the names of the fields of an answer as they came, nil if that is not
// known.
func namesOf(body io.Reader) []h1.Name {
	if b, ok := innermost(body).(*pooledBody); ok {
		return b.names
	}
	return nil
}

// innermost is the body around which the cache has put others that do more than read it.
func innermost(body io.Reader) io.Reader {
	for {
		outer, ok := body.(interface{ Inner() io.ReadCloser })
		if !ok {
			return body
		}
		body = outer.Inner()
	}
}

// end gives the connection back, or closes it.
func (b *pooledBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	inTime := b.left.Stop()
	if c := b.conn; inTime && b.keep && !c.more {
		c.pool.put(c)
		return
	}
	b.conn.Close()
}
