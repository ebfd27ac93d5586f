package proxy

import (
	"net/http"
	"time"
)

// ownPools is the transport to hosts that are not served. A connection to such a
// host serves one connection of one client, as if there were no proxy: it may have
// been logged in (NTLM and Negotiate log in a connection and not a request, RFC
// 4559, section 4.2), and whoever used it next would be taken for that client.
type ownPools struct{ pattern *http.Transport }

// RoundTrip implements http.RoundTripper.
func (o ownPools) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	defer since(&x.shares.github, time.Now())
	return x.session.slot.ownPool(o.pattern).RoundTrip(req)
}
