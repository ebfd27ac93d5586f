//go:build unix

package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/cache"
	"ghapp-proxy/githubtest"
)

// BenchmarkCached is what answers of the REST API cost: fetched without a cache, fetched for the first time with
// one, and given again after GitHub's 304. Client and GitHub run in the same process and are counted; cpu-ns/op is the time of
// all processors.
func BenchmarkCached(b *testing.B) {
	for _, size := range []int{2 << 10, 20 << 10, 100 << 10} {
		for _, coding := range []string{"", "gzip"} {
			for name, test := range map[string]struct {
				cached, again bool
			}{"off": {}, "miss": {cached: true}, "hit": {true, true}} {
				b.Run(fmt.Sprintf("%dKiB %s/%s", size>>10, coding, name), func(b *testing.B) {
					w := start(b, func(s *setup) {
						s.options.Audit = nil
						if test.cached {
							s.options.Cache = cache.New(64 << 20)
						}
					})
					text := "[" + strings.Repeat(`{"id":1296269,"name":"Hello-World","private":false},`, size/50) + "1]"
					w.github.Handle("api.github.com", "/repos/acme/widgets/issues", ready(text, coding))
					client := &http.Client{Transport: w.transport(b, false)}
					benchmarkGets(b, client, func(n int) string {
						if test.again {
							n = 0
						}
						return fmt.Sprintf("https://api.github.com/repos/acme/widgets/issues?page=%d", n)
					}, coding)
				})
			}
		}
	}
}

// ready is answering for one body, which is made but once.
func ready(text, coding string) http.Handler {
	var tags sync.Map // Authorization → ETag
	sent := text
	if coding != "" {
		sent = zipped(text)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header.Get("Authorization")
		tag, ok := tags.Load(authorization)
		if !ok {
			tag = `W/"` + githubtest.GitHubETag([]string{authorization}, []byte(text)) + `"`
			tags.Store(authorization, tag)
		}
		h := w.Header()
		h.Set("Etag", tag.(string))
		h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", "application/json; charset=utf-8")
		if coding != "" {
			h.Set("Content-Encoding", coding)
		}
		h.Set("Content-Length", strconv.Itoa(len(sent)))
		_, _ = io.WriteString(w, sent)
	})
}

func benchmarkGets(b *testing.B, client *http.Client, url func(n int) string, coding string) {
	b.ReportAllocs()
	get := func(n int) {
		req, err := http.NewRequest("GET", url(n), nil)
		if err != nil {
			b.Fatal(err)
		}
		if coding != "" {
			req.Header.Set("Accept-Encoding", coding)
		}
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			b.Fatal(resp.Status, err)
		}
		resp.Body.Close()
	}
	get(0)
	get(0)
	runtime.GC()
	n, before := 0, cpuTime()
	for b.Loop() {
		n++
		get(n)
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(n), "cpu-ns/op")
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
