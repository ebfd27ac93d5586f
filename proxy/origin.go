package proxy

import (
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"
)

// A program can be told that a Unix socket leads to the server itself, as gh is by
// `gh config set http_unix_socket` (cli/go-gh, pkg/api, newUnixDomainSocketRoundTripper).
// Then it sends there, in origin form and without TLS, what it would send to the host
// of https:// URLs. A socket is not reached by what web pages send, nor does a network
// see what passes it.

var notAtSocket = answer.Define(answer.Kind{
	Status: http.StatusMisdirectedRequest, Code: answer.RequestError,
	Title:  "at this socket %q is not served without TLS, but GitHub's hosts alone",
	Remedy: "use the proxy for it: HTTPS_PROXY with the certificate of the proxy, and no http_unix_socket",
})

// takesOrigin reports whether a request in origin form is meant for a server, and not
// for the proxy itself.
func (in *inbound) takesOrigin(r *http.Request) bool {
	at, ok := in.arrival.listener.(*Listener)
	name, _ := github.SplitHost(r.Host)
	return ok && at.Client != "" && at.Addr().Network() == "unix" && name != "" && name != "localhost"
}

// serveOrigin takes a request that would be one to a server, were it not for the socket.
func (p *Proxy) serveOrigin(w http.ResponseWriter, r *http.Request, by *lease, c caller) {
	r.URL.Host = r.Host // for the log; it stays without a scheme, in origin form
	name, port := github.SplitHost(r.Host)
	host, served := by.hosts[name]
	switch {
	case !isASCII(r.Host):
		p.refuseOuter(w, r, c, notASCII.Refuse(name))
	case !served:
		p.refuseOuter(w, r, c, notAtSocket.Refuse(name))
	case port != "" && port != "443":
		p.refuseOuter(w, r, c, otherPort.Refuse(port, name))
	default:
		if denial := c.client.DecideHost(host.Name); denial != nil {
			p.refuseOuter(w, r, c, decide.Denied(denial))
			return
		}
		p.gateway.serve(w, r, session{host: host, plain: true, caller: c})
	}
}
