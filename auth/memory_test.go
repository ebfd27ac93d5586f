package auth_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/internal/racetest"
)

// many is a GitHub that keeps nothing of its requests. Its tokens differ.
type many struct{}

func (many) RoundTrip(r *http.Request) (*http.Response, error) {
	var id int
	status, body := 200, "{}"
	if n, _ := fmt.Sscanf(r.URL.Path, "/app/installations/%d", &id); n == 1 {
		permissions := `"permissions":{"contents":"write","issues":"write","metadata":"read"},"repository_selection":"all"`
		body = fmt.Sprintf(`{"id":%d,"account":{"login":"o%d"},%s}`, id, id-1, permissions)
		if r.Method == http.MethodPost {
			status = 201
			body = fmt.Sprintf(`{"token":"ghs_%036d","expires_at":%q,%s}`, id, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), permissions)
		}
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
}

// TestMemoryOfTokens: what is kept for each of many installations, each of which was used, is small.
// The garbage collector looks at each object of it again and again.
func TestMemoryOfTokens(t *testing.T) {
	if racetest.Enabled {
		t.Skip("memory has another size with the race detector")
	}
	const n = 4000 // more than those of which the facts are remembered
	const maxBytes, maxObjects = 2600, 22
	synctest.Test(t, func(t *testing.T) {
		bytes, objects := inUse()
		s := manySource(t, many{}, n)
		for i := range n {
			cred, err := s.ForOwner(t.Context(), "github.com", owner(fmt.Sprintf("o%d", i)), true)
			if err != nil {
				t.Fatal(err)
			}
			out := &auth.Outgoing{Instance: "github.com", Credential: &cred, Scheme: auth.SchemeBearer, API: true, CheckMapping: true}
			req, _ := http.NewRequest("GET", "https://api.github.com/x", nil)
			resp, err := s.Send(many{}, req, out)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		synctest.Wait() // for what is asked in the background
		moreBytes, moreObjects := inUse()
		bytes, objects = (moreBytes-bytes)/n, (moreObjects-objects)/n
		t.Logf("%d bytes and %d objects for each", bytes, objects)
		if bytes > maxBytes || objects > maxObjects {
			t.Errorf("%d bytes and %d objects are kept for each token, want %d and %d at most", bytes, objects, maxBytes, maxObjects)
		}
		runtime.KeepAlive(s)
	})
}

// inUse is what the heap has.
func inUse() (bytes, objects int64) {
	for range 3 { // pools keep what they have for two cycles
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.HeapObjects)
}
