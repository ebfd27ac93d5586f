package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/rules"
)

// What a request must not be, so that it cannot mean something else to GitHub.
var (
	otherHost = answer.Define(answer.Kind{
		Status: http.StatusMisdirectedRequest, Code: answer.RequestError,
		Title:  "the request's %s is %q, but the connection is to %s",
		Remedy: "open a connection of its own for each host",
	})
	unservedMethod = answer.Define(answer.Kind{
		Status: http.StatusMethodNotAllowed, Code: answer.RequestError,
		Title:  "%s",
		Remedy: "methods are words in capitals, and CONNECT goes to the proxy",
		About:  "the method … is not served",
	})
	overridingField = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "the field %s asks for another method than the request's",
		Remedy: "send the request with that method",
	})
	nominatedField = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "Connection must not name %s",
		Remedy: "it is not for one connection only (RFC 9110, section 7.6.1)",
	})
	ambiguousField = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "the field %s can be taken for %s",
		Remedy: "leave it out",
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
		if name, _ := rules.SplitHost(r.TLS.ServerName); name != s.host.Name {
			return misdirected("TLS server name", r.TLS.ServerName, s)
		}
	}
	name, port := rules.SplitHost(r.Host) // for absolute-form targets this is their host
	plainPort := s.plain && port == defaultPort(r.URL.Scheme)
	if name != s.host.Name || port != "" && port != "443" && !plainPort {
		return misdirected("host", r.Host, s)
	}
	// HTTP/2 has room for three different hosts in one request.
	if r.URL.IsAbs() && r.URL.Host != r.Host {
		return misdirected("target's host", r.URL.Host, s)
	}
	for _, host := range r.Header["Host"] {
		if name, _ := rules.SplitHost(host); name != s.host.Name {
			return misdirected("Host field", host, s)
		}
	}
	return nil
}

// RefusesMethod says why no request with a method is served, "" if some are.
func RefusesMethod(method string) string {
	// HTTP/2 has room for more than a token.
	if method == http.MethodConnect || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return fmt.Sprintf("the method %q is not served", method)
	}
	return ""
}

// overrides are fields by which some servers take one method for another.
var overrides = [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// checkMethod refuses requests that could be carried out as something else
// than they were classified as.
func checkMethod(r *http.Request) *answer.Refusal {
	if reason := RefusesMethod(r.Method); reason != "" {
		return unservedMethod.Refuse(reason)
	}
	for _, name := range overrides {
		if r.Header[name] != nil {
			return overridingField.Refuse(name)
		}
	}
	return checkFields(r.Header)
}

// decisive are fields that say how a body is to be read.
var decisive = [...]string{"Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding"}

// checkFields refuses fields by which GitHub might read a body in another way
// than we do.
func checkFields(h http.Header) *answer.Refusal {
	for _, name := range decisive {
		if nominated(h, name) { // it would not leave
			return nominatedField.Refuse(name)
		}
	}
	for name := range h {
		if meant := lookalike(name); meant != "" {
			return ambiguousField.Refuse(name, meant)
		}
	}
	return nil
}

// lookalike returns the field that a name with underscores is to servers that
// make a variable of either (RFC 3875, section 4.1.18), where that decides
// something; else "".
func lookalike(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return ""
	}
	meant := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	if slices.Contains(decisive[:], meant) || slices.Contains(overrides[:], meant) {
		return meant
	}
	return ""
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
