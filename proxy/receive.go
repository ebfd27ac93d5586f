package proxy

import (
	"fmt"
	"net/http"

	"ghapp-proxy/answer"
)

var brokeOff = answer.Define(answer.Kind{
	Status: http.StatusBadGateway, Code: answer.ResponseIncomplete,
	Title: "%v",
	About: "… broke off before the first octet of its answer's body: …",
})

// brokenAnswer is why an answer broke off before the first octet of its body.
type brokenAnswer struct{ error }

// Unwrap returns the cause.
func (e *brokenAnswer) Unwrap() error { return e.error }

// refusal is the answer to the client.
func (e *brokenAnswer) refusal(host string) *answer.Refusal {
	return causedBy(brokeOff, fmt.Errorf("%s broke off before the first octet of its answer's body: %w", host, e.error))
}

// receive watches the body of an answer that is passed on.
func (x *exchange) receive(resp *http.Response) {
	x.out.passesOn = true
	if !hasBody(resp.StatusCode) {
		resp.Body.Close()
		resp.Body = http.NoBody // over HTTP/2 net/http (1.26) expects one of that length
	}
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.Body == http.NoBody {
		return
	}
	x.received = answerBody{ReadCloser: resp.Body, asked: resp.Request}
	resp.Body = &x.received
	x.out.head.awaits = resp.ContentLength > 0 && resp.Request.Method != http.MethodHead
}
