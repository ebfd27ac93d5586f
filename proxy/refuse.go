package proxy

import (
	"cmp"
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
)

// refuseOuter answers a client that may not use the proxy. A CONNECT that is
// refused for good is told why in the reason phrase; after a 407 the client
// may try again on the same connection.
func (p *Proxy) refuseOuter(w http.ResponseWriter, r *http.Request, c caller, refused *answer.Refusal) {
	refused = p.noteRefused(r, c, refused)
	if r.Method == http.MethodConnect && refused.Status != http.StatusProxyAuthRequired {
		p.takeConnect(w, r, opening{refused: refused})
		return
	}
	host, _ := github.SplitHost(r.URL.Host)
	refused.Write(w, decide.FormFor(p.current.Load().hosts[host]))
}

// noteRefused logs a request that is refused before it is a gateway's, and
// returns what to answer. The caller is the zero value if it is not known.
func (p *Proxy) noteRefused(r *http.Request, c caller, refused *answer.Refusal) *answer.Refusal {
	if c.usage != nil && refused.Status != http.StatusTooManyRequests {
		refused = cmp.Or(c.usage.keepPace(c.usage.bounds()), refused)
	}
	refused = c.refusal(refused, event.NewID())
	p.events.End(refusedEarly(r, c, refused))
	return refused
}
