package proxy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/cache"
	"ghapp-proxy/githubtest"
)

// startCached starts a world whose proxy keeps answers, and whose GitHub compresses them and
// prints them for people.
func startCached(t testing.TB, change func(*setup)) (*world, *cache.Cache) {
	t.Helper()
	kept := cache.New(8 << 20)
	fake := githubtest.Start(t, githubtest.Options{Instances: enterprises, EncodeBodies: true})
	w := startBefore(t, fake, "127.0.0.1:0", func(s *setup) {
		s.options.Cache = kept
		if change != nil {
			change(s)
		}
	})
	return w, kept
}

// rotates makes tokens end soon, and returns what waits until another takes the place of one that was
// minted since.
func rotates(w *world) (rotate func()) {
	const life = 6 * time.Second // a loaded machine has time for two requests in half of it
	w.github.SetTokenLifetime(life)
	return func() { time.Sleep(life/2 + 100*time.Millisecond) } // package auth uses them for half of that
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask asks for a URL with fields, as pairs.
func ask(t testing.TB, client *http.Client, url string, fields ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// how is what Cache-Status says of an answer.
func (r reply) how() string { return strings.TrimPrefix(r.header.Get("Cache-Status"), "ghapp-proxy; ") }

const (
	widgets    = "https://api.github.com/repos/acme/widgets"
	revalidate = "hit; detail=revalidated"
)

// TestKeptAnswers: an answer that GitHub still gives is served from memory, after GitHub's 304 for the token of now,
// also after that has changed, octet by octet as it was sent.
func TestKeptAnswers(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for name, fields := range map[string][]string{
			"plain":             {"Accept", "application/json", "User-Agent", "octokit"},
			"gzip":              {"Accept-Encoding", "gzip", "User-Agent", "octokit"},
			"pretty":            {"User-Agent", "curl/8", "Accept", "*/*"},
			"pretty, gzip":      {"User-Agent", "Mozilla/5.0 Firefox/140", "Accept-Encoding", "gzip"},
			"nothing to accept": {"User-Agent", "x"},
		} {
			t.Run(fmt.Sprintf("%s, h2 %v", name, h2), func(t *testing.T) {
				t.Parallel()
				w, kept := startCached(t, func(s *setup) { s.upstream.HTTP2 = h2 })
				client, rotate := w.client(t, h2), rotates(w)
				first := ask(t, client, widgets, fields...)
				second := ask(t, client, widgets, fields...)
				rotate()
				third := ask(t, client, widgets, fields...)
				if first.how() != "fwd=miss" || second.how() != revalidate || third.how() != revalidate {
					t.Errorf("Cache-Status: %q, %q, %q", first.how(), second.how(), third.how())
				}
				for i, r := range []reply{second, third} {
					if r.status != 200 || r.body != first.body {
						t.Errorf("answer %d: %d, %d octets, want 200 and the %d of before", i, r.status, len(r.body), len(first.body))
					}
					for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "X-Github-Media-Type"} {
						if r.header.Get(name) != first.header.Get(name) {
							t.Errorf("answer %d: %s: %q, want %q", i, name, r.header.Get(name), first.header.Get(name))
						}
					}
				}
				if second.header.Get("Etag") != first.header.Get("Etag") || third.header.Get("Etag") == first.header.Get("Etag") {
					t.Errorf("ETags %s, %s, %s: want that of the token", first.header["Etag"], second.header["Etag"], third.header["Etag"])
				}
				if got := second.header.Get("X-Ratelimit-Used"); got != "1" {
					t.Errorf("%s requests used, want 1", got)
				}
				if first.header.Get("X-Github-Request-Id") == second.header.Get("X-Github-Request-Id") {
					t.Error("the request id is that of before")
				}
				if s := kept.Stats(); s.Hits != 2 || s.QuotaSaved != 2 || s.Misses != 1 || s.BytesSaved != uint64(2*len(first.body)) {
					t.Errorf("%+v", s)
				}
				if got := w.last(t, "/repos/acme/widgets"); got.Status != 304 {
					t.Errorf("GitHub answered %d, want 304", got.Status)
				}
			})
		}
	}
}

// TestClientsCondition: an ETag that a client was given is good also when the token is another.
func TestClientsCondition(t *testing.T) {
	w, kept := startCached(t, nil)
	client, rotate := w.client(t, true), rotates(w)
	first := ask(t, client, widgets, "User-Agent", "x")
	rotate()
	etag := first.header.Get("Etag")
	for _, condition := range []string{etag, "W/" + etag, `"other", ` + etag, `"a,b" ,W/` + etag + ` , "c"`} {
		r := ask(t, client, widgets, "User-Agent", "x", "If-None-Match", condition)
		if r.status != 304 || r.body != "" || r.how() != revalidate || !strings.HasSuffix(r.header.Get("Etag"), etag) {
			t.Errorf("If-None-Match: %s: %d, %s, ETag %s", condition, r.status, r.how(), r.header.Get("Etag"))
		}
	}
	for _, condition := range []string{`"other"`, "*", "W/", `"`, `x`, `"` + strings.Repeat("a", 64) + `"`, strings.ToUpper(etag)} {
		r := ask(t, client, widgets, "User-Agent", "x", "If-None-Match", condition)
		if got := w.last(t, "/repos/acme/widgets").Header.Get("If-None-Match"); r.status != 200 || r.how() != "fwd=request" || got != condition {
			t.Errorf("If-None-Match: %s left as %s: %d, %s", condition, got, r.status, r.how())
		}
	}
	r := ask(t, client, widgets, "User-Agent", "x", "If-Modified-Since", "Mon, 01 Jan 2024 00:00:00 GMT")
	if sent := w.last(t, "/repos/acme/widgets").Header; r.status != 200 || sent.Get("If-None-Match") != "" || sent.Get("If-Modified-Since") == "" {
		t.Errorf("If-Modified-Since: %d, left as %v", r.status, sent)
	}
	// What has changed is given, also to who names what was.
	w.github.Handle("api.github.com", "GET /repos/acme/widgets", answering(func(*http.Request) string { return `{"changed":true}` }))
	if r := ask(t, client, widgets, "User-Agent", "x", "If-None-Match", etag); r.status != 200 || r.body != `{"changed":true}` || r.how() != "fwd=stale; fwd-status=200" {
		t.Errorf("after a change: %d, %s, %s", r.status, r.how(), r.body)
	}
	if s := kept.Stats(); s.Validated != 4 || s.Hits != 0 {
		t.Errorf("%+v", s)
	}
}

// answering is a GitHub that answers with a body, by its formula.
func answering(body func(*http.Request) string, change ...func(http.Header)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := body(r)
		var selects []string
		for _, name := range []string{"Accept", "Authorization"} {
			if value := r.Header.Get(name); value != "" {
				selects = append(selects, value)
			}
		}
		h := w.Header()
		h.Set("Etag", `"`+githubtest.GitHubETag(selects, []byte(text))+`"`)
		h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
		h.Set("X-Ratelimit-Limit", "5000")
		for _, c := range change {
			c(h)
		}
		if strings.TrimPrefix(r.Header.Get("If-None-Match"), "W/") == strings.TrimPrefix(h.Get("Etag"), "W/") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", "application/json; charset=utf-8")
		if h.Get("Content-Encoding") == "gzip" {
			text = zipped(text)
		}
		_, _ = io.WriteString(w, text)
	})
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	z.Close()
	return b.String()
}

// TestNotKept: what is not to be kept is asked for anew, and passes as GitHub has sent it.
func TestNotKept(t *testing.T) {
	const path = "/repos/acme/widgets/contents/x"
	plain := func(*http.Request) string { return `{"a":1}` }
	set := func(name, value string) http.Handler {
		return answering(plain, func(h http.Header) { h.Set(name, value) })
	}
	const url = "https://api.github.com" + path
	for name, test := range map[string]struct {
		host   http.Handler
		fields []string
	}{
		"no-store":          {set("Cache-Control", "private, No-Store"), nil},
		"Set-Cookie":        {set("Set-Cookie", "a=b"), nil},
		"Vary: *":           {set("Vary", "Accept, Authorization, *"), nil},
		"a long Vary":       {set("Vary", "Accept, Authorization"+strings.Repeat(", X", 30)), nil},
		"an unknown coding": {set("Content-Encoding", "br"), nil},
		"an odd ETag":       {set("Etag", `"a b\x"`), nil},
		"another ETag":      {set("Etag", `"`+strings.Repeat("a", 64)+`"`), nil},
		"a long head":       {set("X-Long", strings.Repeat("a", 20<<10)), nil},
		"a signed URL": {answering(func(*http.Request) string {
			return `{"download_url":"https://raw.githubusercontent.com/a/b/main/x?token=AAAA"}`
		}), nil},
		"a clone token":        {answering(func(*http.Request) string { return `{"temp_clone_token": "AAAA"}` }), nil},
		"its own credential":   {answering(func(r *http.Request) string { return strings.Repeat(" ", 70<<10) + r.Header.Get("Authorization") }), nil},
		"a part":               {answering(plain), []string{"Range", "bytes=0-1"}},
		"If-Match":             {answering(plain), []string{"If-Match", `"a"`}},
		"a request's no-store": {answering(plain), []string{"Cache-Control", "no-store"}},
		"a large one":          {answering(func(*http.Request) string { return strings.Repeat("a", 600<<10) }), nil},
		"a bomb": {answering(func(*http.Request) string { return strings.Repeat("a", 40<<20) }, func(h http.Header) { h.Set("Content-Encoding", "gzip") }),
			[]string{"Accept-Encoding", "gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, kept := startCached(t, nil)
			w.github.Handle("api.github.com", "GET "+path, test.host)
			client := w.client(t, false)
			for range 3 {
				if r := ask(t, client, url, test.fields...); r.status != 200 {
					t.Fatalf("%d %s", r.status, r.body)
				}
				if got := w.last(t, path).Header.Get("If-None-Match"); got != "" {
					t.Errorf("left with If-None-Match: %s", got)
				}
			}
			if s := kept.Stats(); s.Hits != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestHostile304: a 304 that was not asked for, or is for something else, does not make the proxy give
// what is kept.
func TestHostile304(t *testing.T) {
	w, kept := startCached(t, nil)
	client := w.client(t, false)
	first := ask(t, client, widgets)
	for name, answer := range map[string]func(http.Header){
		"for another ETag": func(h http.Header) { h.Set("Etag", `"other"`) },
		"with two ETags":   func(h http.Header) { h["Etag"] = []string{`"a"`, `"b"`} },
	} {
		remove := w.github.Inject(githubtest.Fault{Match: githubtest.OnPath("/repos/"), Count: 1, Do: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer(w.Header())
				w.WriteHeader(http.StatusNotModified)
			})
		}})
		if r := ask(t, client, widgets); r.status != 200 || r.how() == revalidate || r.body != first.body {
			t.Errorf("304 %s: %d, %s", name, r.status, r.how())
		}
		remove()
	}
	for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Type", "Content-Range"} {
		remove := w.github.Inject(githubtest.Fault{Match: githubtest.OnPath("/repos/"), Count: 1, Do: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(name, "7")
				w.Header().Set("X-New", "1")
				w.WriteHeader(http.StatusNotModified)
			})
		}})
		if r := ask(t, client, widgets); r.status != 200 || r.header.Get(name) != first.header.Get(name) || r.body != first.body || r.header.Get("X-New") != "1" {
			t.Errorf("304 with %s: %d, %q, %d octets", name, r.status, r.header.Get(name), len(r.body))
		}
		remove()
	}
	if s := kept.Stats(); s.Hits != 4 {
		t.Errorf("%+v", s)
	}
	// Nobody asked.
	w.github.Inject(githubtest.Fault{Match: githubtest.OnPath("/repos/acme/rockets"), Do: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) })
	}})
	if r := ask(t, client, "https://api.github.com/repos/acme/rockets"); r.status != 304 {
		t.Errorf("a 304 that nobody asked for: %d", r.status)
	}
}

// TestFormulaChanges: where GitHub makes its ETags in another way, nothing is kept any more, and nothing is
// wrong.
func TestFormulaChanges(t *testing.T) {
	w, kept := startCached(t, nil)
	client := w.client(t, true)
	w.github.SetETagFormula(func(selects []string, body []byte) string {
		return githubtest.GitHubETag(append(selects, "salt"), body)
	})
	for i := range 12 {
		url := fmt.Sprintf("https://api.github.com/repos/acme/widgets/issues?per_page=%d", i+1)
		for range 2 {
			if r := ask(t, client, url); r.status != 200 || r.how() != "fwd=miss" {
				t.Errorf("%d, %s", r.status, r.how())
			}
		}
	}
	if s := kept.Stats(); !s.Quiet || s.Answers != 0 || s.Doubted != 8 || s.Hits != 0 || s.Used != 0 {
		t.Errorf("%+v", s)
	}
}

// TestCollapsed: who asks the same at the same moment shares the answer, and who leaves stops
// nobody.
func TestCollapsed(t *testing.T) {
	w, kept := startCached(t, nil)
	gate, body := make(chan struct{}), strings.Repeat("a", 100<<10)
	arrived := make(chan struct{}, 100)
	w.github.Handle("api.github.com", "GET /repos/acme/widgets", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-gate
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = io.WriteString(w, body)
	}))
	const clients = 20
	replies := make(chan reply, clients)
	leads := w.client(t, false)
	leading, leave := context.WithCancel(t.Context())
	defer leave()
	go func() {
		req, _ := http.NewRequestWithContext(leading, "GET", widgets, nil)
		req.Header.Set("User-Agent", "x")
		_, _ = leads.Do(req)
	}()
	<-arrived
	for range clients {
		client := w.client(t, true)
		go func() { replies <- ask(t, client, widgets, "User-Agent", "x") }()
	}
	for deadline := time.Now().Add(5 * time.Second); w.proxy.Stats().Requests < clients+1 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
	leave()
	time.Sleep(50 * time.Millisecond)
	close(gate)
	for range clients {
		if r := <-replies; r.status != 200 || r.body != body || r.how() != "fwd=miss; collapsed" {
			t.Errorf("%d, %d octets, %s", r.status, len(r.body), r.how())
		}
	}
	if n := len(arrived); n != 0 {
		t.Errorf("%d more requests arrived, want none", n)
	}
	if s := kept.Stats(); s.Shared != clients {
		t.Errorf("%+v", s)
	}
	waitUnused(t, kept)
}

// waitUnused waits until nothing is in use of what is not kept.
func waitUnused(t testing.TB, kept *cache.Cache) {
	t.Helper()
	kept.Resize(0)
	for deadline := time.Now().Add(5 * time.Second); kept.Stats().Used != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("memory is in use for ever: %+v", kept.Stats())
		}
	}
}

// TestCachedAnswerBreaksOff: where GitHub breaks off, or the answer has the credential in it, the client is told so
// also where answers are kept.
func TestCachedAnswerBreaksOff(t *testing.T) {
	for name, test := range map[string]struct {
		host http.Handler
		want string
	}{
		"leaks": {answering(func(r *http.Request) string { return r.Header.Get("Authorization") }), "http_response_incomplete"},
		"breaks off": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			panic(http.ErrAbortHandler)
		}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, kept := startCached(t, nil)
			w.github.Handle("api.github.com", "GET /repos/acme/widgets", test.host)
			for range 2 {
				if r := ask(t, w.client(t, false), widgets); r.status != 502 || !strings.Contains(r.header.Get("Proxy-Status"), test.want) || r.header.Get("Cache-Status") != "" {
					t.Errorf("%d, %v", r.status, r.header)
				}
			}
			if s := kept.Stats(); s.Hits != 0 {
				t.Errorf("%+v", s)
			}
			waitUnused(t, kept)
		})
	}
}
