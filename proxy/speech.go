package proxy

import (
	"errors"
	"net/http"

	"ghapp-proxy/answer"
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
	speaksTLS = &speech{name: "TLS", refusal: func() *answer.Refusal { return tlsToProxy.Refuse() }}
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
	socksToProxy = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "this is the address of an HTTP proxy, and what came is %s",
		Remedy: "name the proxy as http://HOST:PORT, in ALL_PROXY as well: it speaks no SOCKS",
	})
)

// speechOf is what a connection speaks that begins with an octet; nil for what may be
// HTTP. No method begins with one of these (RFC 9110, section 5.6.2).
func speechOf(first byte) *speech {
	switch first {
	case 22: // a record with a handshake: RFC 8446, section 5.1
		return speaksTLS
	case 5:
		return speaksSOCKS5
	case 4:
		return speaksSOCKS4
	}
	return nil
}

// errSpeech stands for what a client says in another protocol.
var errSpeech = errors.New("no HTTP")
