package decide

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// isForAnotherSite reports whether a browser says that a request is on behalf of
// a web page of another site than GitHub's. A credential that is put into it by
// where it goes would be good for every page that its user opens, and GitHub's
// API lets all of them read the answers (docs.github.com, "Using CORS and JSONP
// to make cross-origin requests"). trusted are the origins to which that does
// not apply, "*" for all.
//
// Programs send neither of the two fields. Which values tell is that of
// net/http's CrossOriginProtection (W3C Fetch Metadata; RFC 6454), save that a
// GitHub's own pages may use its other hosts.
func isForAnotherSite(h http.Header, instance github.Instance, trusted []string) bool {
	origins, sites := h["Origin"], h["Sec-Fetch-Site"]
	if origins == nil && sites == nil || slices.Contains(trusted, "*") {
		return false
	}
	own := origins == nil
	if len(origins) == 1 {
		if slices.Contains(trusted, strings.ToLower(origins[0])) {
			return false
		}
		own = isOriginOf(instance, origins[0])
	}
	for _, site := range sites {
		switch site {
		case "same-origin", "none": // none: the user himself
		case "same-site":
			own = own && origins != nil
		default:
			return true
		}
	}
	return !own
}

// isOriginOf reports whether an origin is one of a GitHub's hosts.
func isOriginOf(instance github.Instance, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Port() != "" {
		return false
	}
	return slices.ContainsFunc(instance.Hosts(), func(h github.Host) bool { return strings.EqualFold(h.Name, u.Hostname()) })
}

// asksForScript reports whether a request asks for JSONP, a script that hands the
// answer to a page (docs.github.com, "Using CORS and JSONP to make cross-origin
// requests"), and the browser does not say whose page: a script has no Origin, and to
// http:// there is no Sec-Fetch-Site (W3C Fetch Metadata, "Set the Sec-Fetch-Site
// header").
func asksForScript(h http.Header, query string, trusted []string) bool {
	if query == "" || h["Origin"] != nil || h["Sec-Fetch-Site"] != nil || slices.Contains(trusted, "*") {
		return false
	}
	for parameter := range strings.FieldsFuncSeq(query, func(c rune) bool { return c == '&' || c == ';' }) {
		name, _, _ := strings.Cut(parameter, "=")
		if unescaped, err := url.QueryUnescape(name); err == nil {
			name = unescaped
		}
		name, _, _ = strings.Cut(name, "[") // as Rack nests them
		if strings.EqualFold(strings.TrimSpace(name), "callback") {
			return true
		}
	}
	return false
}

// withholdFromPages leaves the credential out of a request that is for a page of
// another site: it arrives as it would without the proxy, or with less.
func (d *decision) withholdFromPages() {
	switch d.Route.Credential {
	case rules.None, rules.Keep:
		return
	}
	if isForAnotherSite(d.in.Header, d.in.Host.Instance, d.Origins) || asksForScript(d.in.Header, d.in.Query, d.Origins) {
		d.OtherSite, d.Route.Credential, d.Route.Exchange = true, rules.None, false
	}
}
