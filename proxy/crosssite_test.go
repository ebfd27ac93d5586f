package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPagesOfOtherSites: what a browser asks for on behalf of a page of another
// site goes without a credential.
func TestPagesOfOtherSites(t *testing.T) {
	worlds := make(map[string]*world) // by the origins that are trusted
	for _, test := range []struct {
		fields  string // with commas between them
		trusted string
		with    bool
	}{
		{"", "", true},
		{"Sec-Fetch-Mode: cors", "", true}, // Node's fetch
		{"Sec-Fetch-Site: none", "", true},
		{"Sec-Fetch-Site: same-origin", "", true},
		{"Sec-Fetch-Site: same-site,Origin: https://github.com", "", true},
		{"Origin: https://api.github.com", "", true},
		{"Sec-Fetch-Site: cross-site,Origin: https://dashboard.example.org", "https://dashboard.example.org", true},
		{"Sec-Fetch-Site: cross-site,Origin: HTTPS://Dashboard.example.org", "https://dashboard.example.org", true},
		{"Sec-Fetch-Site: cross-site", "*", true},

		{"Sec-Fetch-Site: cross-site", "", false},
		{"Sec-Fetch-Site: cross-site", "https://dashboard.example.org", false},
		{"Sec-Fetch-Site: cross-site,Origin: https://evil.example", "", false},
		{"Sec-Fetch-Site: cross-site,Origin: https://evil.example", "https://dashboard.example.org", false},
		{"Origin: https://evil.example", "", false}, // over http:// there is no Sec-Fetch-Site
		{"Origin: null", "", false},
		{"Origin: https://api.github.com.evil.example", "", false},
		{"Origin: https://api.github.com:8443", "", false},
		{"Origin: https://github.com@evil.example", "", false},
		{"Origin: file://github.com", "", false},
		{"Origin: https://github.com,Origin: https://evil.example", "", false},
		{"Sec-Fetch-Site: same-site", "", false}, // a GitHub's neighbours are not its own
		{"Sec-Fetch-Site: same-site,Origin: https://pages.github.com", "", false},
		{"Sec-Fetch-Site: cross-site,Origin: https://github.com", "", false},
		{"Sec-Fetch-Site: none,Sec-Fetch-Site: cross-site", "", false},
		{"Sec-Fetch-Site: ", "", false},
		{"Sec-Fetch-Site: Same-Origin", "", false},
	} {
		w := worlds[test.trusted]
		if w == nil {
			w = start(t, func(s *setup) { s.options.Origins = strings.Fields(test.trusted) })
			worlds[test.trusted] = w
		}
		w.github.Reset()
		req, err := http.NewRequest(http.MethodGet, "https://api.github.com/repos/acme/widgets", nil)
		if err != nil {
			t.Fatal(err)
		}
		for field := range strings.SplitSeq(test.fields, ",") {
			if name, value, ok := strings.Cut(field, ": "); ok {
				req.Header[name] = append(req.Header[name], value)
			}
		}
		resp, err := w.client(t, false).Do(req)
		if err != nil {
			t.Errorf("%s: %v", test.fields, err)
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		with := false
		for _, r := range w.github.Requests() {
			with = with || r.Path() == "/repos/acme/widgets" && r.Header.Get("Authorization") != ""
		}
		if with != test.with || (resp.StatusCode == http.StatusOK) != test.with {
			t.Errorf("%q with origins %q: credential %v, status %d, want %v", test.fields, test.trusted, with, resp.StatusCode, test.with)
		}
		if told := strings.Contains(fmt.Sprint(resp.Header["Proxy-Status"]), "a page of another site"); told == test.with {
			t.Errorf("%q: Proxy-Status %q", test.fields, resp.Header["Proxy-Status"])
		}
	}
	if log := worlds[""].log.String(); !strings.Contains(log, "other_site=true") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}

// Neither does a page get at the App itself, nor a placeholder.
func TestPagesGetNoApp(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Rules.Exchange, s.options.Rules.JWTWrites = true, true })
	for _, request := range []string{"GET /app", "POST /app/installations/111/access_tokens", "GET /repos/acme/widgets/installation"} {
		method, path, _ := strings.Cut(request, " ")
		for origin, want := range map[string]bool{"": true, "https://evil.example": false} {
			w.github.Reset()
			req, err := http.NewRequest(method, "https://api.github.com"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if origin != "" {
				req.Header.Set("Origin", origin)
			}
			resp, err := w.client(t, false).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if (resp.StatusCode < 400) != want {
				t.Errorf("%s of %q: %s %s", request, origin, resp.Status, body)
			}
			for _, r := range w.github.Requests() {
				if r.Header.Get("Authorization") != "" && !want {
					t.Errorf("%s of %q left with a credential", request, origin)
				}
			}
		}
	}
}
