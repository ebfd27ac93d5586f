package shared

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"
)

const (
	// maxReply is how long all texts of a reply may be together, in bytes: a set of maxSet things has less.
	maxReply = 32 << 20
	// maxElements is how many elements a reply may lack at a time.
	maxElements = 4 * maxSet
	// maxLine is the longest line of a reply, in bytes: texts of any length are no lines.
	maxLine = 64 << 10
)

var errAbsurd = errors.New("the store says something that is longer than anything it could have to say")

// dialer connects, with TLS where config is not nil, so that replies are bounded: go-redis 9.23.0 makes room for what a reply says
// that its length is, and a length beyond all memory ends the process (TestAbsurdLengths).
func dialer(config *tls.Config, timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		plain := &net.Dialer{Timeout: timeout}
		dial := plain.DialContext
		if config != nil {
			dial = (&tls.Dialer{NetDialer: plain, Config: config}).DialContext
		}
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if plain, ok := conn.(syscall.Conn); ok {
			return &boundedPlain{bounded{Conn: conn}, plain}, nil
		}
		return &bounded{Conn: conn}, nil
	}
}

// boundedPlain is bounded for one without TLS, of which go-redis finds out by itself that it was closed.
type boundedPlain struct {
	bounded
	syscall.Conn
}

// bounded is a connection that fails before a reply that is too long is read.
type bounded struct {
	net.Conn
	replies replies
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if absurd := b.replies.take(p[:n]); absurd != nil {
		return 0, absurd
	}
	return n, err
}

// replies follow the lengths in what a store says: redis.io, "Redis serialization protocol specification".
type replies struct {
	line  []byte // the beginning of the line that has not ended
	skip  int    // bytes of a text that are to come, with its end
	lacks int    // elements of the reply
	texts int    // bytes of its texts
}

// take follows the next part.
func (r *replies) take(p []byte) error {
	for len(p) > 0 {
		if r.skip > 0 {
			n := min(r.skip, len(p))
			r.skip, p = r.skip-n, p[n:]
			continue
		}
		part, rest, ended := bytes.Cut(p, []byte("\n"))
		if r.line = append(r.line, part...); len(r.line) > maxLine {
			return errAbsurd
		}
		if p = rest; !ended {
			return nil
		}
		if err := r.element(bytes.TrimSuffix(r.line, []byte("\r"))); err != nil {
			return err
		}
		r.line = r.line[:0]
	}
	return nil
}

// element follows a line, which begins an element.
func (r *replies) element(line []byte) error {
	if r.lacks == 0 {
		r.lacks, r.texts = 1, 0
	}
	r.lacks--
	if len(line) == 0 {
		return errAbsurd
	}
	each := 0 // elements for one of the length
	switch line[0] {
	case '$', '=', '!':
	case '*', '~', '>':
		each = 1
	case '%', '|':
		each = 2
	default:
		return nil
	}
	n, err := strconv.Atoi(string(line[1:]))
	switch {
	case err != nil || n > maxReply:
		return errAbsurd
	case n < 0: // nothing
	case each > 0:
		r.lacks += n * each
	default:
		r.skip, r.texts = n+len("\r\n"), r.texts+n
	}
	if line[0] == '|' {
		r.lacks++ // what it is about
	}
	if r.texts > maxReply || r.lacks > maxElements {
		return errAbsurd
	}
	return nil
}
