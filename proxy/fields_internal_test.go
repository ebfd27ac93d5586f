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
	head := GitHubHead + "Content-Length: 5\r\n\r\nhello"
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
