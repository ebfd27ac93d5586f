package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// TestInterimOfClientThatLeaves: what follows an interim answer does not meet one
// that is still being written. Without the mend of sendInterim it is a fatal error
// of the whole process, "concurrent map iteration and map write", most times.
func TestInterimOfClientThatLeaves(t *testing.T) {
	for range 20 {
		leaveAtInterim(t)
	}
}

func leaveAtInterim(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan struct{})
	server := httptest.NewUnstartedServer(attend(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		h := w.Header()
		for i := range 5000 { // takes a while to write
			h["X-"+strconv.Itoa(i)] = []string{"x"}
		}
		go leave()
		w.WriteHeader(http.StatusEarlyHints)
		clear(h) // as httputil.ReverseProxy does
		for i := range 5000 {
			h["X-"+strconv.Itoa(i)] = []string{"y"}
		}
	}, &Options{Log: slog.New(slog.DiscardHandler), stalls: maxStalls}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := server.Client().Do(req); err == nil {
		resp.Body.Close()
	}
	<-done
}
