package h1_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ghapp-proxy/h1"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const question = "GET /repos/acme/widgets/issues?state=all&per_page=100 HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: gh/2.80\r\naccept:\t application/json \r\n" +
	"X-GitHub-Api-Version: 2022-11-28\r\nAccept: text/plain\r\nConnection: Keep-Alive\r\n\r\n"

// plain are heads that are taken; strange ones are left to net/http.
var (
	plain = []string{
		question,
		"HEAD / HTTP/1.1\r\nHost: api.github.com:443\r\nConnection: close\r\n\r\n",
		"POST /graphql HTTP/1.1\r\nHost: api.github.com\r\nContent-Length: 2\r\n\r\n",
		"POST /graphql HTTP/1.1\r\nHost: api.github.com\r\nContent-Length: 0\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: api.github.com\r\n\r\n",
		"DELETE /repos/a%2Fb/c?%zz HTTP/1.1\r\nhOST: api.github.com\r\nA:\r\n\r\n",
		"GET /a? HTTP/1.1\r\nHost: [::1]\r\nTE: trailers\r\n\r\n",
		"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a;b:c@d HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n",
	}
	strange = []string{
		"", "\r\n\r\n", " / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x", "GET / HTTP/1.1\r\nHost: x\r\nA: b", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: b\n\n", "GET\r\n\r\n", "GET /\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\nHost: x\r\n\r\n", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "GET / http/1.1\r\nHost: x\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /  HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\t HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\x80 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "GET //x/y HTTP/1.1\r\nHost: x\r\n\r\n", "GET https://x/ HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
		"GET / HTTP/1.1\nHost: x\n\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nfoo\r\n", "GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nTrailer: A\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, A\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Authorization\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 00\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 03\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 100) + "\r\n",
	}
)

// compareRequest checks that what is taken is what net/http reads, and reports whether
// it was taken.
func compareRequest(t *testing.T, head string) bool {
	t.Helper()
	if size := h1.HeadSize([]byte(head)); size != len(head) {
		return false // nobody gives it to ParseRequest
	}
	used.Reset()
	got, names, ok := h1.ParseRequest(head, &used)
	if !ok {
		return false
	}
	rest := bufio.NewReader(strings.NewReader(head + strings.Repeat("x", int(min(got.ContentLength, 1<<10)))))
	want, err := http.ReadRequest(rest)
	if err != nil {
		t.Fatalf("%q: net/http does not read it: %v", head, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(http.Request{}), cmpopts.IgnoreFields(http.Request{}, "Body")); diff != "" {
		t.Fatalf("%q: - net/http, + h1\n%s", head, diff)
	}
	if (want.Body == http.NoBody) != (got.ContentLength == 0) {
		t.Fatalf("%q: a length of %d, and net/http has %v", head, got.ContentLength, want.Body)
	}
	compareNames(t, head, names, got.Header, "Host")
	return true
}

// compareNames checks that names are those of the fields of a head in their order, as
// they stand there and as http.Header has them.
func compareNames(t *testing.T, head string, names []h1.Name, fields http.Header, beside ...string) {
	t.Helper()
	at, known := strings.Index(head, "\r\n"), make(map[string]bool)
	for _, name := range names {
		next := strings.Index(head[at:], "\r\n"+name.Spelled+":")
		if next < 0 {
			t.Fatalf("%q: %q is not the next field", head, name.Spelled)
		}
		at += next + len(name.Spelled)
		if name.Key != http.CanonicalHeaderKey(name.Spelled) || known[name.Key] {
			t.Fatalf("%q: %s is named twice, or not %s", head, name.Key, name.Spelled)
		}
		known[name.Key] = true
	}
	for name := range fields {
		if !known[name] {
			t.Fatalf("%q: %s is not among the names %v", head, name, names)
		}
	}
	if extra := len(known) - len(fields); extra < 0 || extra > len(beside) {
		t.Fatalf("%q: the names are %v", head, names)
	}
}

func TestParseRequest(t *testing.T) {
	for _, head := range plain {
		if !compareRequest(t, head) {
			t.Errorf("%q is left to net/http", head)
		}
	}
	for _, head := range strange {
		if compareRequest(t, head) {
			t.Errorf("%q is taken", head)
		}
		if r, _, ok := h1.ParseRequest(head, nil); ok {
			t.Errorf("%q is taken: %v", head, r)
		}
	}
}

// Every octet of a path is read as net/http reads it, and so is what may stand around "?".
func TestParseTarget(t *testing.T) {
	for c := range 256 {
		for _, target := range []string{"/a%sb", "/%s", "/a?%s", "/%%41%s?", "/%s??", "/a?b?%s"} {
			compareRequest(t, "GET "+fmt.Sprintf(target, string(rune(c)))+" HTTP/1.1\r\nHost: x\r\n\r\n")
			compareRequest(t, "GET "+fmt.Sprintf(target, string([]byte{byte(c)}))+" HTTP/1.1\r\nHost: x\r\n\r\n")
		}
	}
}

// Every octet of a value is read as net/http reads it, wherever it stands.
func TestValues(t *testing.T) {
	for c := range 256 {
		for before := range 17 {
			value := strings.Repeat("~", before) + string([]byte{byte(c)}) + strings.Repeat(" ", 16-before) + "x"
			taken := compareRequest(t, "GET / HTTP/1.1\r\nHost: x\r\nA: x"+value+"\r\n\r\n")
			if want := c == '\t' || c >= ' ' && c <= '~'; taken != want {
				t.Fatalf("%q is taken: %v, want %v", value, taken, want)
			}
		}
	}
}

// Names are written as net/http writes them, however they were spelled.
func TestKey(t *testing.T) {
	for _, name := range []string{"ETag", "etag", "Etag", "X-GitHub-OTP", "x-github-otp", "X-GITHUB-OTP", "x-Ratelimit-limit", "X-Own-name", "sec-ch-ua", "a b", "\x80", "", "Content-length", "TE"} {
		if got, want := h1.Key(name), http.CanonicalHeaderKey(name); got != want {
			t.Errorf("Key(%q) = %q, want %q", name, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { h1.Key("X-GitHub-Request-Id"); h1.Key("x-github-request-id") }); n != 0 {
		t.Errorf("%v allocations for names that GitHub sends", n)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, head := range append(plain, strange...) {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, head string) { compareRequest(t, head) })
}

func BenchmarkParseRequest(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := h1.ParseRequest(question, nil); !ok {
			b.Fatal("left to net/http")
		}
	}
}

// TestHeadSize: a head ends where net/http lets it end.
func TestHeadSize(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "\r\n": 0, "GET / HTTP/1.1\r\n": 0, "GET / HTTP/1.1\r\n\r": 0, "GET / HTTP/1.1\r\n\r\n": 18, "GET / HTTP/1.1\r\n\r\n\n\nx": 18,
		"GET / HTTP/1.1\n\nx": 16, "GET / HTTP/1.1\n\r\nx": 17, "GET / HTTP/1.1\r\n\nx": 17, "GET / HTTP/1.1\r\nA: b\n\n\r\n\r\n": 22, "GET / HTTP/1.1\r\nA: b\r\n\r\n\n\n": 24,
	} {
		if got := h1.HeadSize([]byte(text)); got != want {
			t.Errorf("HeadSize(%q) = %d, want %d", text, got, want)
		}
	}
}
