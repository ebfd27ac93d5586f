package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What HTTP/2 connections held is free when they have ended, also those that
// ended with a request under way.
func TestEndedConnectionsAreFreed(t *testing.T) {
	for _, answers := range []bool{false, true} {
		t.Run(fmt.Sprint("answered: ", answers), func(t *testing.T) { testEndedConnectionsAreFreed(t, answers) })
	}
}

func testEndedConnectionsAreFreed(t *testing.T, answers bool) {
	w := start(t, nil)
	arrived := make(chan struct{})
	w.github.Handle("api.github.com", "/repos/acme/widgets/contents/{file}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers {
			fmt.Fprint(w, "half of it")
			http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		<-r.Context().Done() // and it reads nothing
	}))
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	upload := func() {
		conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
		client := overHTTP2(t, conn)
		body, more := io.Pipe()
		req, err := http.NewRequest(http.MethodPut, "https://api.github.com/repos/acme/widgets/contents/x", body)
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan struct{})
		go func() {
			defer close(failed)
			if resp, err := client.RoundTrip(req); err == nil {
				resp.Body.Close()
			}
		}()
		go fmt.Fprint(more, strings.Repeat("x", 1<<20))
		<-arrived
		time.Sleep(20 * time.Millisecond) // the proxy takes what the stream's window lets it
		conn.Close()
		more.Close()
		<-failed
	}
	upload()
	before := heap()
	const n, allowed = 20, 1 << 20
	for range n {
		upload()
	}
	var grown int64
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if grown = heap() - before; grown < allowed {
			return
		}
	}
	t.Errorf("%d connections that have ended hold %d KiB", n, grown>>10)
}
