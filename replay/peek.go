package replay

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
)

// maxPeek bounds what is read of an answer to see what it complains about.
const maxPeek = 4 << 10

// Peek returns the beginning of an answer's body, which stays readable; also
// where it is compressed as most clients ask for.
func Peek(resp *http.Response) string {
	size := int64(maxPeek)
	if resp.ContentLength > 0 {
		size = min(size, resp.ContentLength+1) // to its end: its connection is of use then, also if nobody reads on
	}
	beginning := make([]byte, size)
	n, _ := io.ReadFull(resp.Body, beginning) // an error is met again
	beginning = beginning[:n]
	resp.Body = PutBack(beginning, resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(beginning))
		if err != nil {
			return ""
		}
		beginning, _ = io.ReadAll(io.LimitReader(unzipped, maxPeek)) // what there is of it
	}
	return string(beginning)
}

// PutBack returns a body of which the beginning was read, whole.
func PutBack(beginning []byte, body io.ReadCloser) io.ReadCloser {
	b := &putBack{Closer: body, arrived: len(beginning) > 0}
	b.beginning.Reset(beginning)
	b.Reader = io.MultiReader(&b.beginning, body)
	return b
}

type putBack struct {
	io.Reader
	io.Closer
	beginning bytes.Reader
	arrived   bool
}

// HasArrived reports whether the beginning is there already.
func (b *putBack) HasArrived() bool { return b.arrived }
