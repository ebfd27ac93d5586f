package h1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"ghapp-proxy/h1"

	"github.com/google/go-cmp/cmp"
)

const answer = "HTTP/1.1 200 OK\r\nDate: Thu, 05 Jun 2025 10:21:07 GMT\r\nContent-Type: application/json; charset=utf-8\r\nx-github-request-id:\t C0DE:1F2E3 \t\r\n" +
	"Link: <https://api.github.com/repositories/1/issues?page=2>; rel=\"next\"\r\nVary: Accept\r\nVary: Cookie\r\nContent-Length: 5\r\n\r\nhello"

// heads are answers, most of which are left to net/http.
var heads = []string{
	answer, answer + answer, "", "H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200  OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK \r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 -20 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 0000000000000000000002\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent_Length: 2\r\nContent-Length: 1\r\n\r\nok", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\r\n\r\nok", "HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nA: \x80\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nA\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nA b: c\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 O\tK\r\nContent-Length: 2\r\n\r\nok", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nUpgrade: h2\r\nContent-Length: 2\r\n\r\nok", "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 9000) + "\r\nContent-Length: 2\r\n\r\nok",
}

// read is what became of an answer.
type read struct {
	Response http.Response
	Body     []byte
	Rest     string
	Failed   bool
	CutOff   bool
}

func readBy(by func(*bufio.Reader, *http.Request) (*http.Response, error), method string, text []byte) (all read) {
	in := bytes.NewReader(text)
	r := bufio.NewReaderSize(in, 4096)
	resp, err := by(r, &http.Request{Method: method})
	if err != nil {
		return read{Failed: true}
	}
	if all.Body, err = io.ReadAll(resp.Body); err != nil {
		all.CutOff = true
	} else if !resp.Close {
		rest, _ := io.ReadAll(r)
		all.Rest = string(rest)
	}
	all.Response = *resp
	all.Response.Request, all.Response.Body = nil, nil
	return all
}

// used is the memory of all heads of these tests, of which none is seen in another.
var used h1.Memory

func byH1(r *bufio.Reader, req *http.Request) (*http.Response, error) {
	used.Reset()
	resp, _, err := h1.ReadResponse(r, req, &used)
	return resp, err
}

func compare(t *testing.T, method string, text []byte) {
	t.Helper()
	got, want := readBy(byH1, method, text), readBy(http.ReadResponse, method, text)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, %q: - net/http, + h1\n%s", method, text, diff)
	}
}

func TestReadResponse(t *testing.T) {
	for _, text := range heads {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			compare(t, method, []byte(text))
		}
	}
}

// TestSlow: what comes octet by octet, and what ends within, is as good.
func TestSlow(t *testing.T) {
	resp, err := byH1(bufio.NewReader(iotest.OneByteReader(strings.NewReader(answer))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "hello" || resp.Header.Get("X-Github-Request-Id") != "C0DE:1F2E3" || len(resp.Header["Vary"]) != 2 {
		t.Errorf("%q, %v, %v", text, err, resp.Header)
	}
	broken := errors.New("broken")
	for i := range answer {
		resp, err := byH1(bufio.NewReader(io.MultiReader(strings.NewReader(answer[:i]), iotest.ErrReader(broken))), nil)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		// Of a line that is cut off net/http says what there is of it.
		if err == nil || i > strings.Index(answer, "\r\n\r\n")+3 && !errors.Is(err, broken) {
			t.Fatalf("%v after %d octets, want %v", err, i, broken)
		}
	}
}

// TestNames: the names of a head are known, or it is known that they are not.
func TestNames(t *testing.T) {
	for text, want := range map[string][]string{
		"HTTP/1.1 200 OK\r\nx-A: 1\r\nContent-length: 0\r\n\r\n":                    {"x-A", "Content-length"},
		"HTTP/1.1 200 OK\r\nx-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":  {"x-A", "Transfer-Encoding"},
		"HTTP/1.1 200 OK\r\nx-A: 1\r\nB: 2\r\nX-a: 3\r\nContent-Length: 0\r\n\r\n":  {"x-A", "B", "Content-Length"},
		"HTTP/1.1 404 No\r\nA: 1\r\na: 2\r\nPragma: x\r\nContent-Length: 0\r\n\r\n": {"A", "Pragma", "Content-Length"},
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\ncontent-length: 0\r\n\r\n":         nil,
		"HTTP/1.1 204 No Content\r\n\r\n":                                           {},
		"HTTP/1.1 200 OK\nContent-Length: 2\r\nX: y\r\n\r\nok":                      nil,
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n":                nil,
		"HTTP/1.1 200 OK\r\nA: \x80\r\nContent-Length: 0\r\n\r\n":                   nil,
		"HTTP/1.1 200 OK\nContent-Length: 0\n\n":                                    nil,
	} {
		_, names, err := h1.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil, nil)
		if diff := cmp.Diff(want, spelled(names)); diff != "" || err != nil {
			t.Errorf("%q: %v, - want, + got\n%s", text, err, diff)
		}
	}
}

// spelled are the names as they came.
func spelled(names []h1.Name) (all []string) {
	if names != nil {
		all = []string{}
	}
	for _, name := range names {
		all = append(all, name.Spelled)
	}
	return all
}

// TestFields: appending to a field changes no other.
func TestFields(t *testing.T) {
	resp, err := byH1(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range resp.Header {
		resp.Header.Add(name, "more")
	}
	for name, values := range resp.Header {
		if values[len(values)-1] != "more" || values[0] == "more" {
			t.Errorf("%s: %q", name, values)
		}
	}
}

func FuzzReadResponse(f *testing.F) {
	for _, text := range heads {
		f.Add([]byte(text), false)
	}
	f.Add([]byte(answer), true)
	f.Fuzz(func(t *testing.T, text []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		compare(t, method, text)
	})
}

func BenchmarkReadResponse(b *testing.B) {
	head := "HTTP/1.1 200 OK\r\n"
	for name, value := range map[string]string{"Content-Type": "application/json; charset=utf-8", "Cache-Control": "private, max-age=60, s-maxage=60", "Etag": `W/"1d0f2a8c4b6e3d5f7a9b0c1e2d3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d0e1f"`,
		"X-Github-Media-Type": "github.v3; format=json", "X-Ratelimit-Limit": "5000", "X-Ratelimit-Remaining": "4987", "X-Ratelimit-Reset": "1750000000", "X-Ratelimit-Used": "13",
		"X-Ratelimit-Resource": "core", "X-Frame-Options": "deny", "Server": "github.com", "X-Xss-Protection": "0", "Strict-Transport-Security": "max-age=31536000", "Content-Length": "2"} {
		head += name + ": " + value + "\r\n"
	}
	text := []byte(head + "\r\nok")
	for name, by := range map[string]func(*bufio.Reader, *http.Request) (*http.Response, error){"h1": byH1, "net/http": http.ReadResponse} {
		b.Run(name, func(b *testing.B) {
			in := bytes.NewReader(text)
			r := bufio.NewReader(in)
			buf := make([]byte, 100)
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(text)
				r.Reset(in)
				resp, err := by(r, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := resp.Body.Read(buf); err != nil && err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
}
