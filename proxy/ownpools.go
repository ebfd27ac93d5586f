package proxy

import "net/http"

// ownPools is the transport to hosts that are not served. A connection to such a
// host serves one connection of one client, as if there were no proxy: it may have
// been logged in (NTLM and Negotiate log in a connection and not a request, RFC
// 4559, section 4.2), and whoever used it next would be taken for that client.
type ownPools struct{ pattern *http.Transport }

// RoundTrip implements http.RoundTripper.
func (o ownPools) RoundTrip(req *http.Request) (*http.Response, error) {
	return exchangeOf(req).session.slot.ownPool(o.pattern).RoundTrip(req)
}

// ownPool returns the slot's own transport, made after the pattern.
func (s *slot) ownPool(pattern *http.Transport) *http.Transport {
	if own := s.elsewhere.Load(); own != nil {
		return own
	}
	own := pattern.Clone()
	if !s.elsewhere.CompareAndSwap(nil, own) {
		return s.elsewhere.Load()
	}
	return own
}

// dropPool closes what the slot's own transport keeps. What is under way closes
// when it has ended.
func (s *slot) dropPool() {
	if own := s.elsewhere.Swap(nil); own != nil {
		own.CloseIdleConnections()
	}
}
