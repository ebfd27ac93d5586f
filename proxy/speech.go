package proxy

import (
	"errors"
	"net/http"

	"ghapp-proxy/answer"
)

// Form is what clients speak at a listener.
type Form uint8

const (
	FormPlain Form = iota // HTTP
	FormTLS               // HTTP in TLS
	FormBoth              // one of them, as each client begins
)

// speech is a protocol that a client begins with at the address of a proxy, where it
// has to be another.
type speech struct {
	name    string
	refusal func() *answer.Refusal // what the log says
	// words say so in the protocol itself; nil where that is best done in HTTP.
	words []byte
}

// What clients speak that take the proxy for one of another kind.
//
// To a ClientHello the answer is in HTTP: of an alert, clients print no more than its
// name, while Go and urllib3 take HTTP for what it is and say so.
var (
	speaksTLS  = &speech{name: "TLS", refusal: func() *answer.Refusal { return tlsToProxy.Refuse() }}
	speaksHTTP = &speech{name: "HTTP without TLS", refusal: func() *answer.Refusal { return plainToProxy.Refuse() }}
	// RFC 1928, section 3: no acceptable methods, which all clients print in words. Of
	// a code in the reply to a request most print but the number.
	speaksSOCKS5 = &speech{"SOCKS5", func() *answer.Refusal { return socksToProxy.Refuse("SOCKS5") }, []byte{5, 0xff}}
	// "SOCKS: A protocol for TCP proxy across firewalls" (version 4), CONNECT: request
	// rejected or failed.
	speaksSOCKS4 = &speech{"SOCKS4", func() *answer.Refusal { return socksToProxy.Refuse("SOCKS4") }, []byte{0, 91, 0, 0, 0, 0, 0, 0}}
)

var (
	tlsToProxy = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "this is the address of an HTTP proxy, and what came is TLS",
		Remedy: "set HTTPS_PROXY to http://HOST:PORT, not https://: the connections in it are encrypted all the same",
	})
	plainToProxy = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "this is the address of a proxy that speaks TLS, and what came is not TLS",
		Remedy: "set HTTPS_PROXY to https://HOST:PORT; for tools that cannot, it takes both with listen = \"http+https://HOST:PORT\"",
	})
	socksToProxy = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "this is the address of an HTTP proxy, and what came is %s",
		Remedy: "name the proxy as http://HOST:PORT, or https:// where it listens so, in ALL_PROXY as well: it speaks no SOCKS",
	})
)

// handshakeRecord is the first octet of TLS: RFC 8446, section 5.1.
const handshakeRecord = 22

// speechOf is what a connection speaks that begins with an octet; nil for what may be
// spoken in a form. No method begins with one of these (RFC 9110, section 5.6.2).
func speechOf(first byte, form Form) *speech {
	switch {
	case first == 5:
		return speaksSOCKS5
	case first == 4:
		return speaksSOCKS4
	case first == handshakeRecord && form == FormPlain:
		return speaksTLS
	case first != handshakeRecord && form == FormTLS:
		return speaksHTTP
	}
	return nil
}

// errSpeech stands for what a client says in another protocol.
var errSpeech = errors.New("no HTTP")
