package proxy

import (
	"bytes"
	"net/url"
	"testing"
)

// The target that leaves is what net/http would write, whatever its octets.
func TestWriteTarget(t *testing.T) {
	for _, of := range [][2]string{{"/a", ""}, {"/a", "?"}, {"/a", "?b=c?d"}, {"/%61//b;c", "?%zz"}, {"//a", ""}, {"//a", "?b"}, {"/", ""}, {"", ""}, {"", "?a"}} {
		var u url.URL
		setTarget(&u, of[0], of[1])
		u.Scheme, u.Host = "https", "api.github.com"
		var out bytes.Buffer
		writeTarget(&out, &u)
		if out.String() != u.RequestURI() {
			t.Errorf("%q%q: %q, want %q", of[0], of[1], out.String(), u.RequestURI())
		}
	}
}
