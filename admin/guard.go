package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy is what a browser may do with our answers: show them, with the page's own
// style and script. W3C "Content Security Policy Level 3".
const policy = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard refuses what no probe, scrape or page of ours sends.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "this listener changes nothing: it takes GET and HEAD", http.StatusMethodNotAllowed)
		case !s.isHost(r):
			http.Error(w, "no such host here: use the address or localhost, or list the name in admin.hosts", http.StatusMisdirectedRequest)
		case isOtherSite(r):
			http.Error(w, "this is not for the pages of other sites", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isHost reports whether a request is by a name of ours. Whoever has a name of their
// own can have it lead to any address (DNS rebinding), but cannot have an
// address as a name. No browser connects to a Unix socket.
func (s *Server) isHost(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return true
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"), "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "localhost" || s.isKnown(name)
}

// isOtherSite reports whether a browser says that a request is for the page of
// another site: by Origin (RFC 6454), or by W3C's "Fetch Metadata Request
// Headers". A link to the page may be anywhere.
func isOtherSite(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && !strings.EqualFold(origin, "http://"+r.Host) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}
