package proxy

import (
	"net/http"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
)

// What a request must not be, so that it cannot mean something else to GitHub.
var (
	otherHost = answer.Define(answer.Kind{
		Status: http.StatusMisdirectedRequest, Code: answer.RequestError,
		Title:  "the request's %s is %q, but the connection is to %s",
		Remedy: "open a connection of its own for each host",
	})
	noWebSocket = answer.Define(answer.Kind{
		Status: http.StatusNotImplemented, Code: answer.UpgradeFailed,
		Title:  "Upgrade to a WebSocket is not supported on served hosts",
		Remedy: "GitHub has none for programs: leave the Upgrade field out",
	})
)

// checkHost refuses a request that means another host than its connection
// (RFC 9110, section 15.5.20): the credential would follow it there.
func checkHost(r *http.Request, s session) *answer.Refusal {
	if r.TLS != nil && r.TLS.ServerName != "" {
		if name, _ := github.SplitHost(r.TLS.ServerName); name != s.host.Name {
			return misdirected("TLS server name", r.TLS.ServerName, s)
		}
	}
	name, port := github.SplitHost(r.Host) // for absolute-form targets this is their host
	plainPort := s.plain && port == defaultPort(r.URL.Scheme)
	if name != s.host.Name || port != "" && port != "443" && !plainPort {
		return misdirected("host", r.Host, s)
	}
	// HTTP/2 has room for three different hosts in one request.
	if r.URL.IsAbs() && r.URL.Host != r.Host {
		return misdirected("target's host", r.URL.Host, s)
	}
	for _, host := range r.Header["Host"] {
		if name, _ := github.SplitHost(host); name != s.host.Name {
			return misdirected("Host field", host, s)
		}
	}
	return nil
}

func misdirected(what, got string, s session) *answer.Refusal {
	return otherHost.Refuse(what, got, s.host.Name)
}

// ignoreUpgrade takes out of a request what asks for another protocol. A server may
// ignore that (RFC 9110, section 7.8), and what asks for HTTP/2 over clear text or
// for TLS goes on in HTTP/1.1. For a WebSocket there is nothing to go on with.
func ignoreUpgrade(h http.Header) *answer.Refusal {
	if asksFor(h, "websocket") {
		return noWebSocket.Refuse()
	}
	dropUpgrade(h)
	return nil
}

// dropUpgrade drops Upgrade and what belongs to it (RFC 7540, section 3.2.1).
func dropUpgrade(h http.Header) {
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
}

// asksFor reports whether Upgrade names a protocol, in whatever version.
func asksFor(h http.Header, protocol string) bool {
	for _, value := range h["Upgrade"] {
		for asked := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(asked), "/")
			if strings.EqualFold(name, protocol) {
				return true
			}
		}
	}
	return false
}
