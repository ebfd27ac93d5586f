package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"ghapp-proxy/answer"
)

// What cannot be read as a request never reaches a handler: net/http (1.26) answers
// by itself, in one write, without saying who speaks. TestServerErrors fails where
// it does so in another form.
const (
	errorPrefix = "HTTP/1.1 "
	errorFields = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	maxError    = 512 // bytes
)

var (
	unreadRequest = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title: "the request could not be read: %s",
	})
	largeHead = answer.Define(answer.Kind{
		Status: http.StatusRequestHeaderFieldsTooLarge, Code: answer.RequestError,
		Title:  "the head of the request is larger than %d KiB",
		Remedy: "send fewer or shorter fields: cookies, mostly",
	})
)

// serverError is the answer with our name in place of one that net/http has made
// by itself; nil for any other, which has a Date.
func serverError(p []byte) *answer.Refusal {
	if len(p) > maxError || !bytes.HasPrefix(p, []byte(errorPrefix)) {
		return nil
	}
	line, text, ok := strings.Cut(string(p[len(errorPrefix):]), errorFields)
	code, _, _ := strings.Cut(line, " ")
	status, err := strconv.Atoi(code)
	if !ok || err != nil || status < 400 {
		return nil
	}
	if status == http.StatusRequestHeaderFieldsTooLarge {
		return largeHead.Refuse(maxHead >> 10)
	}
	f := unreadRequest.Refuse(strings.TrimPrefix(text, code+" "))
	f.Status = status
	return f
}
