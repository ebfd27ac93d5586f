package cli

import (
	"net/url"

	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"
)

// explainConnect says what a CONNECT would get.
func (e *explainer) explainConnect(a explanation) (explanation, error) {
	name, port := github.SplitHost(a.URL)
	switch _, served := e.hosts[name]; {
	case !served:
		to, err := policy.ParseDestination(a.URL, 0)
		if err != nil {
			return a, err
		}
		return e.tunnelled(a, to), nil
	case port != "443":
		a.Credential, a.Reason = "refused", "port "+port+" of "+name+" is not served"
	default:
		a.Credential, a.How = "none", "a served host: explain the requests that are made inside"
		if denial := e.snapshot.Client.DecideHost(name); denial != nil {
			a.refuse(decide.Denied(denial))
		}
	}
	return a, nil
}

// explainElsewhere says what a request to a host that is not served would get.
func (e *explainer) explainElsewhere(a explanation) (explanation, error) {
	u, err := url.Parse(a.URL) // split has checked it
	if err != nil {
		return a, err
	}
	if u.Scheme == "https" {
		to, err := policy.ParseDestination(u.Host, 443)
		if err != nil {
			return a, err
		}
		return e.tunnelled(a, to), nil
	}
	to, err := policy.ParseDestination(u.Host, 80)
	if err != nil {
		return a, err
	}
	a.Credential, a.How = "none", "not a served host: passed on as it is"
	return a.unless(e.egress.Decide(to)), nil
}

// tunnelled fills the answer in for a tunnel.
func (e *explainer) tunnelled(a explanation, to policy.Destination) explanation {
	a.Credential, a.How = "none", "not a served host: tunnelled unread"
	if e.egress.Limited() && to.Port == 443 {
		a.How = "not a served host: tunnelled, if its TLS begins with the same server name"
	}
	return a.unless(e.egress.DecideTunnel(to))
}

// unless is the explanation, or a refusal if there is a denial.
func (a explanation) unless(denial *policy.EgressDenial) explanation {
	if denial != nil {
		a.Credential, a.How, a.Reason = "refused", denial.Remedy, denial.Reason
	}
	return a
}
