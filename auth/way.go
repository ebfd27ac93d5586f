package auth

import (
	"net/http"
	"sync/atomic"
)

// way is the transport of a Source's own calls. It can be replaced by another.
type way struct {
	now atomic.Pointer[http.RoundTripper]
}

func newWay(t http.RoundTripper) *way {
	w := new(way)
	w.lead(t)
	return w
}

// lead makes calls go by another transport from now on.
func (w *way) lead(t http.RoundTripper) {
	if t == nil {
		t = http.DefaultTransport
	}
	w.now.Store(&t)
}

// RoundTrip implements http.RoundTripper.
func (w *way) RoundTrip(req *http.Request) (*http.Response, error) {
	return (*w.now.Load()).RoundTrip(req)
}
