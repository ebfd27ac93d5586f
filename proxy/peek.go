package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/replay"
)

// peekBody reads a request's body and puts it back as it was. It returns nil for
// one of more bytes.
func peekBody(r *http.Request, most int64, u *usage) ([]byte, *answer.Refusal) {
	var all bytes.Buffer
	all.Grow(int(max(0, min(r.ContentLength, maxPooledBody))) + bytes.MinRead) // more is not there at once, or may never come
	_, err := all.ReadFrom(io.LimitReader(r.Body, most+1))
	text := all.Bytes()
	if unread, ok := errors.AsType[*bodyError](err); ok {
		return nil, unread.refusal(u)
	}
	if err != nil {
		return nil, unreadBody.Refuse(err)
	}
	r.Body = replay.PutBack(text, r.Body)
	if int64(len(text)) > most {
		return nil, nil
	}
	return text, nil
}
