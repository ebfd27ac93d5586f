package proxy

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"ghapp-proxy/h1"
)

// BenchmarkAnswerHead writes the head of an answer as GitHub's API has them, with a field of ours.
func BenchmarkAnswerHead(b *testing.B) {
	head := string(newFrugalHead())
	resp, names, err := h1.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp.Header["Cache-Status"] = []string{"ghapp-proxy; fwd=miss"}
	w := &answerWriter{}
	w.begin(nil, nil, &http.Request{Method: http.MethodGet}, nil, nil)
	defer w.release()
	w.header = resp.Header
	w.as(names, resp.Status)
	b.ReportAllocs()
	for b.Loop() {
		w.out.Reset()
		w.status = 0
		w.WriteHeader(http.StatusOK)
	}
}

func newFrugalHead() []byte {
	var head strings.Builder
	head.WriteString("HTTP/1.1 200 OK\r\n")
	for _, field := range []string{
		"Server: github.com", "Date: Thu, 05 Jun 2025 10:21:07 GMT", "Content-Type: application/json; charset=utf-8", "Cache-Control: private, max-age=60, s-maxage=60",
		"Vary: Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
		`ETag: W/"1d0f2a8c4b6e3d5f7a9b0c1e2d3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d0e1f"`, "X-GitHub-Media-Type: github.v3; format=json",
		"x-github-api-version-selected: 2022-11-28", "X-RateLimit-Limit: 15000", "X-RateLimit-Remaining: 14987", "X-RateLimit-Reset: 4102444800", "X-RateLimit-Used: 13",
		"X-RateLimit-Resource: core", "Access-Control-Allow-Origin: *", "Strict-Transport-Security: max-age=31536000; includeSubdomains; preload", "X-Frame-Options: deny",
		"X-Content-Type-Options: nosniff", "X-XSS-Protection: 0", "Referrer-Policy: origin-when-cross-origin, strict-origin-when-cross-origin",
		"Content-Security-Policy: default-src 'none'", "X-GitHub-Request-Id: C0DE:1F2E3:4D5C6B:7A8990:684AB1C3", "Content-Length: 5",
	} {
		head.WriteString(field + "\r\n")
	}
	return []byte(head.String() + "\r\nhello")
}
