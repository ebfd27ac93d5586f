package auth

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// maxAnswer bounds an answer about one thing, in bytes. GitHub's largest are
	// of repositories, some 20 KB.
	maxAnswer = 256 << 10
	// maxList bounds an answer that lists things, in bytes. The longest names the
	// 500 repositories that a token may be narrowed to, at some 6 KB each.
	maxList = 4 << 20
	// maxItem bounds what is held at once of such a list, in bytes.
	maxItem = 128 << 10
	// maxPage is how many there are on a page, as we ask for: docs.github.com
	// "Using pagination in the REST API".
	maxPage = 100
	// walkTimeout bounds the walk through the pages of a list. GitHub answers one in
	// less than a second.
	walkTimeout = time.Minute
)

var (
	errTooLarge = errors.New("GitHub's answer is larger than any that it should give")
	errNotJSON  = errors.New("GitHub's answer is not the JSON that was expected")
)

// listed is an answer that is read item by item, so that it is never in memory
// as a whole.
type listed interface {
	read(in *items) error
}

// readAnswer reads the body of an answer that is a success into out.
func readAnswer(resp *http.Response, out any) error {
	if _, ok := out.(*nothing); ok {
		return nil
	}
	if list, ok := out.(listed); ok {
		in := newItems(resp.Body)
		if err := list.read(in); err != nil {
			return err
		}
		if _, err := in.Token(); err != io.EOF {
			return in.fault() // something is behind it
		}
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return &readError{err}
	case len(text) > maxAnswer:
		return errTooLarge
	case json.Unmarshal(text, out) != nil:
		return errNotJSON
	}
	return nil
}

// nothing is an answer of which nothing is read.
type nothing struct{}

// readError is for an answer that ended too early.
type readError struct{ error }

// Unwrap returns the cause.
func (e *readError) Unwrap() error { return e.error }

// items read JSON within bounds: of all of it, and of each item.
type items struct {
	*json.Decoder
	body      io.Reader
	all, item int
	failed    error // why no more can be read
}

func newItems(body io.Reader) *items {
	in := &items{body: body, all: maxList, item: maxItem}
	in.Decoder = json.NewDecoder(in)
	return in
}

// Read implements io.Reader for the Decoder.
func (in *items) Read(p []byte) (int, error) {
	if in.all <= 0 || in.item <= 0 {
		in.failed = errTooLarge
		return 0, errTooLarge
	}
	n, err := in.body.Read(p[:min(len(p), in.all, in.item)])
	in.all -= n
	in.item -= n
	if err != nil && err != io.EOF {
		in.failed = &readError{err}
	}
	return n, err
}

// fault is why reading ended: the network's or a bound's, else what was read.
func (in *items) fault() error {
	if in.failed != nil {
		return in.failed
	}
	return errNotJSON
}

// next reads an item into out.
func (in *items) next(out any) error {
	in.item = maxItem
	if in.Decode(out) != nil {
		return in.fault()
	}
	return nil
}

// isList begins an item that should be an array, and skips any other.
func (in *items) isList() (bool, error) {
	in.item = maxItem
	switch token, err := in.Token(); {
	case err != nil:
		return false, in.fault()
	case token == json.Delim('{'):
		return false, in.rest()
	default:
		return token == json.Delim('['), nil
	}
}

// list calls read for each item of an array, of which there must not be more than
// maxPage. null is an empty one.
func (in *items) list(read func() error) error {
	in.item = maxItem
	switch token, err := in.Token(); {
	case err == nil && token == nil:
		return nil
	case token != json.Delim('['):
		return in.fault()
	}
	for n := 0; in.More(); n++ {
		if n == maxPage {
			return errTooLarge
		}
		if err := read(); err != nil {
			return err
		}
	}
	return in.end()
}

// rest skips what is left of an object or an array that has begun.
func (in *items) rest() error {
	for depth := 1; depth > 0; {
		in.item = maxItem
		switch token, err := in.Token(); {
		case err != nil:
			return in.fault()
		case token == json.Delim('{'), token == json.Delim('['):
			depth++
		case token == json.Delim('}'), token == json.Delim(']'):
			depth--
		}
	}
	return nil
}

// fields calls read for the fields of an object, which it must read.
func (in *items) fields(read func(name string) error) error {
	if token, err := in.Token(); err != nil || token != json.Delim('{') {
		return in.fault()
	}
	for in.More() {
		in.item = maxItem
		token, err := in.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return in.fault()
		}
		if err := read(name); err != nil {
			return err
		}
	}
	return in.end()
}

// end reads the delimiter that ends an object or an array.
func (in *items) end() error {
	if _, err := in.Token(); err != nil {
		return in.fault()
	}
	return nil
}

// skip reads an item that nobody wants. It is held for a moment, so its size is
// bounded as that of others.
func (in *items) skip() error {
	var ignored json.RawMessage
	return in.next(&ignored)
}
