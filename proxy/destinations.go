package proxy

import (
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/policy"
)

// Which hosts are not reached, whoever asks.
var (
	notASCII = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "the host name %q is not ASCII",
		Remedy: "write it in its xn-- form",
	})
	otherPort = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "port %s of %s is not served",
		Remedy: "use 443",
	})
)

// mayTunnel decides about a CONNECT to a host that is not served, by its name.
// The address is decided about when it is connected to.
func (now *generation) mayTunnel(hostport string) (policy.Destination, *answer.Refusal) {
	d, err := policy.ParseDestination(hostport, 0)
	if err != nil {
		return d, destinationRefusal(err)
	}
	if denial := now.parts.Upstream.opts.Egress.DecideTunnel(d); denial != nil {
		return d, egressRefusal(denial)
	}
	return d, now.refuseSelf(d)
}

// refuseSelf refuses a destination that is a listener of this process as it stands.
// What a name leads to is decided about when it is connected to, but not by us where
// another proxy does that, which may be on this machine.
func (now *generation) refuseSelf(d policy.Destination) *answer.Refusal {
	if now.parts.Upstream.isSelf(d) {
		return upstreamRefusal(errSelf, d.String())
	}
	return nil
}

// mayRequest is mayTunnel for an http:// request in absolute form.
func (now *generation) mayRequest(r *http.Request) (policy.Destination, *answer.Refusal) {
	d, err := policy.ParseDestination(r.URL.Host, 80)
	if err != nil {
		return d, destinationRefusal(err)
	}
	if denial := now.parts.Upstream.opts.Egress.Decide(d); denial != nil {
		return d, egressRefusal(denial)
	}
	return d, now.refuseSelf(d)
}
