package cache

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// githubFields are those of an answer of GitHub's.
var githubFields = []string{
	"Content-Type", "application/json; charset=utf-8", "Cache-Control", "private, max-age=60, s-maxage=60", "X-Github-Media-Type", "github.v3; format=json",
	"X-Github-Api-Version-Selected", "2022-11-28", "X-Ratelimit-Limit", "5000", "X-Ratelimit-Remaining", "4999", "X-Ratelimit-Reset", "1700000000",
	"X-Ratelimit-Used", "1", "X-Ratelimit-Resource", "core", "Access-Control-Expose-Headers", strings.Repeat("x", 300), "Access-Control-Allow-Origin", "*",
	"Strict-Transport-Security", "max-age=31536000; includeSubdomains; preload", "X-Frame-Options", "deny", "X-Content-Type-Options", "nosniff",
	"Referrer-Policy", "origin-when-cross-origin", "Content-Security-Policy", "default-src 'none'", "Server", "github.com", "X-Github-Request-Id", "C0DE:1",
}

type senderFunc func(*http.Request) (*http.Response, Fate, error)

func (f senderFunc) SendToKeep(_ *Question, req *http.Request) (*http.Response, Fate, error) {
	return f(req)
}

// BenchmarkMiss is what a Cache adds to a request whose answer is not there, but for the reading of the body.
func BenchmarkMiss(b *testing.B) {
	for _, size := range []int{2 << 10, 20 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			c := New(64 << 20)
			req, _ := requestFor(b, "/repos/acme/widgets/issues", "Bearer t", "Accept", "application/vnd.github+json", "User-Agent", "octokit")
			body := bytes.Repeat([]byte("0123456789abcdef"), size/16)
			etag, buf := tagFor(string(body), "application/vnd.github+json", "Bearer t"), make([]byte, 32<<10)
			resp := answerWith("", etag, githubFields...)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				q, _ := QuestionOf(req, "api.github.com", fmt.Sprint("/repos/acme/widgets/issues?page=", n), Who{Kind: "installation", App: 1, Installation: 2})
				got, _, _, err := c.Do(&q, req, senderFunc(func(req *http.Request) (*http.Response, Fate, error) {
					answer := *resp
					answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
					if c.Find(&q, req.Header, 1, nil) != nil {
						b.Fatal("it is there")
					}
					answer.Body = c.Fill(&q, req, &answer, 1, nil)
					return &answer, Fate{How: Miss, Status: 200}, nil
				}))
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = got.Body.Read(buf)
				}
				got.Body.Close()
			}
		})
	}
}
