package githubtest

import (
	"archive/zip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestArtifact: an archive is at a host that is not GitHub's, whose URL is its
// own credential and takes no other.
func TestArtifact(t *testing.T) {
	s := Start(t, Options{})
	a := s.world.repos[WidgetsID].runs()[0].artifacts[0]
	url := fmt.Sprintf("https://api.github.com/repos/acme/widgets/actions/artifacts/%d/zip", a.id)
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	to := do(t, s, "GET", url, auth, "").header.Get("Location")
	if want := "https://" + artifactHost + "/"; !strings.HasPrefix(to, want) {
		t.Fatalf("Location is %q, want %s…", to, want)
	}
	got := do(t, s, "GET", to, "", "")
	r, err := zip.NewReader(strings.NewReader(got.body), int64(len(got.body)))
	if err != nil {
		t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	f, err := r.Open("widgets.txt")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(f); string(text) != "widgets, built\n" {
		t.Errorf("widgets.txt is %q, %v", text, err)
	}
	for _, test := range []struct {
		url, auth string
		status    int
	}{
		{to, auth, http.StatusBadRequest},
		{strings.Replace(to, "sig=", "sig=x", 1), "", http.StatusForbidden},
		{strings.Replace(to, a.oid, strings.Repeat("0", 64), 1), "", http.StatusForbidden},
		{url, "", http.StatusNotFound},
	} {
		if got := do(t, s, "GET", test.url, test.auth, ""); got.status != test.status {
			t.Errorf("GET %s = %d %s, want %d", test.url, got.status, got.body, test.status)
		}
	}
}
