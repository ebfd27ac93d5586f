package proxy

import (
	"net/http"

	"ghapp-proxy/policy"
)

// DecideRefs makes decide say why an update is refused, "" if it is not.
func (o *Options) DecideRefs(decide func(policy.RefUpdate) (reason, remedy string)) {
	o.decideRef = func(u policy.RefUpdate) *refusal {
		reason, remedy := decide(u)
		if reason == "" {
			return nil
		}
		return &refusal{status: http.StatusForbidden, code: "http_request_denied", title: reason, remedy: remedy}
	}
}
