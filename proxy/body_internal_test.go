package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// ended is a ResponseWriter whose handler has returned: net/http's for HTTP/2
// panics then, and that for HTTP/1 belongs to the next request.
type ended struct{ http.ResponseWriter }

func (ended) SetReadDeadline(time.Time) error { panic("the handler has returned") }

// Who sends a body on may still read when the handler has returned.
func TestBodyOutlivesHandler(t *testing.T) {
	r, done := guardBody(ended{httptest.NewRecorder()}, httptest.NewRequest("POST", "/", strings.NewReader("body")))
	done()
	if text, err := io.ReadAll(r.Body); err != nil || string(text) != "body" {
		t.Errorf("a late read: %q, %v", text, err)
	}
}
