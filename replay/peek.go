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
	beginning, _ := io.ReadAll(io.LimitReader(resp.Body, maxPeek)) // an error is met again
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
	return putBack{io.MultiReader(bytes.NewReader(beginning), body), body}
}

type putBack struct {
	io.Reader
	io.Closer
}
