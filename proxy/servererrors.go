package proxy

import (
	"bytes"
	"errors"
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
	tlsToProxy = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "this is the address of an HTTP proxy, and what came is TLS",
		Remedy: "set HTTPS_PROXY to http://HOST:PORT, not https://: the connections in it are encrypted all the same",
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

// errTLS stands for the ClientHello of a client that speaks TLS to the proxy.
var errTLS = errors.New("TLS where HTTP is spoken")

// isHello reports whether a connection begins as one with TLS does: RFC 8446,
// section 5.1.
func isHello(p []byte) bool { return len(p) > 2 && p[0] == 22 && p[1] == 3 }

func tlsRefusal() *answer.Refusal {
	return tlsToProxy.Refuse()
}
