package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"ghapp-proxy/policy"
)

// mayTunnel decides about a CONNECT to a host that is not served, by its name.
// The address is decided about when it is connected to.
func (p *Proxy) mayTunnel(hostport string) (policy.Destination, *refusal) {
	d, err := policy.ParseDestination(hostport, 0)
	if err != nil {
		return d, destinationRefusal(err)
	}
	if denial := p.opts.Upstream.opts.Egress.DecideTunnel(d); denial != nil {
		return d, egressRefusal(denial)
	}
	return d, nil
}

// mayRequest is mayTunnel for an http:// request in absolute form.
func (p *Proxy) mayRequest(r *http.Request) *refusal {
	d, err := policy.ParseDestination(r.URL.Host, 80)
	if err != nil {
		return destinationRefusal(err)
	}
	if denial := p.opts.Upstream.opts.Egress.Decide(d); denial != nil {
		return egressRefusal(denial)
	}
	return nil
}

func destinationRefusal(err error) *refusal {
	return &refusal{
		status: http.StatusBadRequest, code: "http_request_error", title: err.Error(),
		remedy: "write the host as a name or as a whole address, and the port as a number",
	}
}

// egressRefusal is the answer to somebody who may not go somewhere. It does
// not tell the addresses of hosts, which may be secret.
func egressRefusal(denial *policy.EgressDenial) *refusal {
	f := &refusal{status: http.StatusForbidden, code: "http_request_denied", title: denial.Reason, remedy: denial.Remedy, decidedBy: denial.Key}
	if denial.Addr.IsValid() {
		f.code = "destination_ip_prohibited"
	}
	return f
}

// checkServerName reports whether a ClientHello is for the host of its tunnel.
// A client that connects to an address sends no name (RFC 6066, section 3).
func checkServerName(d policy.Destination, name string) error {
	switch {
	case name == "" && d.Addr.IsValid(), isASCII(name) && strings.EqualFold(name, d.Host):
		return nil
	case name == "":
		return errors.New("the ClientHello has no server name")
	default:
		return fmt.Errorf("the ClientHello is for %.100q", name)
	}
}
