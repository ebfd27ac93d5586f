package auth

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// recorder notes what leaves.
type recorder struct{ sent []string }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.sent = append(r.sent, strings.Join(req.Header["Authorization"], ","))
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: req}, nil
}

// TestUnknownKindIsRefused: what is of no kind, or has no such form, never leaves, nor
// does what the client sent in its place.
func TestUnknownKindIsRefused(t *testing.T) {
	s, cred := quotaSource()
	cred.token = newToken("ghs_x", nil, time.Now().Add(time.Hour), time.Now())
	client := newHeader(KindClient, "id", "secret", "", nil)
	for name, test := range map[string]struct {
		cred   Credential
		scheme Scheme
		want   string // what leaves, "" for nothing
	}{
		"an installation token": {cred, SchemeToken, "token ghs_x"},
		"a client secret":       {Credential{App: cred.App, header: client}, SchemeBasic, "Basic aWQ6c2VjcmV0"},
		"no kind":               {Credential{App: cred.App, header: &header{values: client.values}}, SchemeBasic, ""},
		"no scheme":             {cred, 0, ""},
		"an unknown scheme":     {cred, schemes, ""},
		"a form that is absent": {Credential{App: cred.App, header: client}, SchemeBearer, ""},
	} {
		var next recorder
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/x", nil)
		req.Header.Set("Authorization", "Bearer the-clients")
		resp, err := s.Send(&next, req, &Outgoing{Instance: "github.com", Credential: &test.cred, Scheme: test.scheme})
		if err == nil {
			resp.Body.Close()
		}
		if got := strings.Join(next.sent, "; "); got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s: sent %q, %v, want %q", name, got, err, test.want)
		}
	}
}

// TestLimitsAreKept: where limits are asked for, nothing leaves that cannot have any.
func TestLimitsAreKept(t *testing.T) {
	s, cred := quotaSource()
	cred.token = newToken("ghs_x", nil, time.Now().Add(time.Hour), time.Now())
	for _, kind := range []*Kind{KindJWT, KindClient, KindInstallation} {
		of := cred
		if kind != KindInstallation {
			of = Credential{App: cred.App, header: newHeader(kind, "id", "secret", "", nil)}
		}
		for _, want := range []Want{{}, {Within: &Scope{}}, {Narrow: metadataOnly}} {
			var next recorder
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/x", nil)
			resp, err := s.Send(&next, req, &Outgoing{Instance: "github.com", Want: want, Credential: &of, Scheme: kind.schemes[0]})
			if err == nil {
				resp.Body.Close()
			}
			if sent := len(next.sent) == 1; sent != (kind.Limitable() || !want.isConfined()) {
				t.Errorf("%s, confined %t: sent %t, %v", kind, want.isConfined(), sent, err)
			}
		}
	}
}
