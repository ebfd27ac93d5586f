package proxy

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// pass passes an answer on. It panics with http.ErrAbortHandler where the body breaks
// off, so that nobody takes it for complete.
func (w *recorder) pass(resp *http.Response) {
	h := w.take(resp.Header)
	announced := len(resp.Trailer)
	if announced > 0 {
		h.Add("Trailer", strings.Join(slices.Collect(maps.Keys(resp.Trailer)), ", "))
	}
	if relayed, ok := w.ResponseWriter.(*answerWriter); ok {
		relayed.as(w.names, resp.Status)
	}
	w.WriteHeader(resp.StatusCode)
	err := w.copy(resp)
	resp.Body.Close() // which fills in the trailers
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(resp.Trailer) > 0 {
		_ = w.FlushError() // or net/http would give a short body a length, and no trailers
	}
	for name, values := range resp.Trailer {
		if len(resp.Trailer) != announced {
			name = http.TrailerPrefix + name
		}
		h[name] = values // in place of a field of the head that is called so, which has left
	}
}

// take adds the fields of an answer to those that are there, and returns all of them.
func (w *recorder) take(fields http.Header) http.Header {
	if relayed, ok := w.ResponseWriter.(*answerWriter); ok && len(relayed.header) == 0 {
		relayed.header = fields // nobody else's
		return fields
	}
	h := w.Header()
	for name, values := range fields {
		if own := h[name]; own != nil {
			values = slices.Concat(own, values)
		}
		h[name] = values
	}
	return h
}

// copy copies the body of an answer.
func (w *recorder) copy(resp *http.Response) error {
	if resp.Body == http.NoBody {
		return nil
	}
	buf := copyBuffers.Get()
	defer copyBuffers.Put(buf)
	to := &w.flusher
	to.w, to.after = w, flushInterval
	if resp.ContentLength < 0 {
		to.after = 0
	}
	defer to.stop()
	if !w.arrived {
		to.begin()
	}
	for left := resp.ContentLength; ; {
		n, err := resp.Body.Read(buf)
		left -= int64(n)
		if n > 0 {
			if err := to.write(buf[:n], left == 0); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
