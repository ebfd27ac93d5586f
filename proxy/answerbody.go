package proxy

import (
	"io"
	"net/http"
)

// answerBody is the body of a host's answer.
type answerBody struct {
	io.ReadCloser
	asked *http.Request
	err   error // that it ended with, nil for its end
}

// Read implements io.Reader.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
