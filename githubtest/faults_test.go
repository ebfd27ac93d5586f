package githubtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"syscall"
	"testing"
	"time"
)

const widgetsURL = "https://api.github.com/repos/acme/widgets"

// clients returns a client for each version of HTTP.
func clients(t *testing.T, s *Server) map[string]*http.Client {
	t.Helper()
	one, two := s.Transport(), s.Transport()
	one.ForceAttemptHTTP2 = false
	one.TLSClientConfig.NextProtos = []string{"http/1.1"}
	t.Cleanup(one.CloseIdleConnections)
	t.Cleanup(two.CloseIdleConnections)
	return map[string]*http.Client{"HTTP/1.1": {Transport: one}, "HTTP/2.0": {Transport: two}}
}

func request(t *testing.T, s *Server, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+mintToken(t, s, AcmeInstallation))
	return req
}

// eachProtocol runs f once per version of HTTP, each with a server of its own.
func eachProtocol(t *testing.T, f func(t *testing.T, s *Server, client *http.Client)) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			s := Start(t, Options{}) // its record has no late request of the other
			f(t, s, clients(t, s)[proto])
			reqs := s.Requests()
			if got := reqs[len(reqs)-1].Proto; got != proto {
				t.Errorf("spoke %s, want %s", got, proto)
			}
		})
	}
}

func TestFaultCount(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	s.Inject(Fault{Match: OnPath("/repos/"), Count: 2, Do: ServerError(502)})
	for i, want := range []int{502, 502, 200} {
		a := do(t, s, "GET", widgetsURL, auth, "")
		if a.status != want || want == 502 && !strings.Contains(a.body, "Unicorn") {
			t.Errorf("answer %d = %d %.40q, want %d", i, a.status, a.body, want)
		}
	}
	remove := s.Inject(Fault{Match: All(OnHost("api.github.com"), OnMethod("GET")), Do: AnswerError(418, "tea")})
	if a := do(t, s, "GET", widgetsURL, auth, ""); a.message() != "tea" {
		t.Errorf("with fault: %d %s", a.status, a.body)
	}
	remove()
	if a := do(t, s, "GET", widgetsURL, auth, ""); a.status != 200 {
		t.Errorf("fault removed: %d, want 200", a.status)
	}
}

func TestYoungTokens(t *testing.T) {
	s := Start(t, Options{})
	tok := mintToken(t, s, AcmeInstallation)
	remove := s.RejectYoungTokens(time.Hour, 401)
	if a := do(t, s, "GET", widgetsURL, "Bearer "+tok, ""); a.status != 401 || a.message() != "Bad credentials" {
		t.Errorf("young token = %d %s, want 401", a.status, a.body)
	}
	s.SetClockSkew(0)
	remove()
	defer s.RejectYoungTokens(time.Nanosecond, 401)()
	if a := do(t, s, "GET", widgetsURL, "Bearer "+tok, ""); a.status != 200 {
		t.Errorf("old token = %d, want 200", a.status)
	}
}

func TestClockSkew(t *testing.T) {
	s := Start(t, Options{})
	s.SetClockSkew(20 * time.Minute)
	a := do(t, s, "GET", "https://api.github.com/app", "Bearer "+jwt(t, s.App("ci-bot")), "")
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil || time.Until(date) < 19*time.Minute {
		t.Errorf("Date = %q, want 20 minutes ahead", a.header.Get("Date"))
	}
	if a.message() != msgJWTExp {
		t.Errorf("clock ahead: %s, want %s", a.body, msgJWTExp)
	}
	s.SetClockSkew(-20 * time.Minute)
	if a := do(t, s, "GET", "https://api.github.com/app", "Bearer "+jwt(t, s.App("ci-bot")), ""); a.message() != msgJWTExpTooFar {
		t.Errorf("clock behind: %s, want %s", a.body, msgJWTExpTooFar)
	}
}

func TestRateLimits(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	s.ExhaustRateLimit(AcmeInstallation, time.Minute)
	a := do(t, s, "GET", widgetsURL, auth, "")
	if a.status != 403 || a.message() != "API rate limit exceeded for installation ID 111." ||
		a.header.Get("X-Ratelimit-Remaining") != "0" {
		t.Errorf("exhausted: %d %s %v", a.status, a.body, a.header)
	}
	s.RestoreRateLimit(AcmeInstallation)
	first := do(t, s, "GET", widgetsURL, auth, "")
	second := do(t, s, "GET", widgetsURL, auth, "", "If-None-Match", first.header.Get("Etag"))
	if second.status != 304 || second.body != "" || second.header.Get("X-Ratelimit-Used") != "1" {
		t.Errorf("conditional request = %d %q, used %s, want a 304 that costs nothing",
			second.status, second.body, second.header.Get("X-Ratelimit-Used"))
	}
	s.Inject(Fault{Do: SecondaryRateLimit(429, time.Minute)})
	if a := do(t, s, "GET", widgetsURL, auth, ""); a.status != 429 || a.header.Get("Retry-After") != "60" {
		t.Errorf("secondary: %d %v", a.status, a.header)
	}
}

func TestStall(t *testing.T) {
	eachProtocol(t, func(t *testing.T, s *Server, client *http.Client) {
		s.Inject(Fault{Do: Stall(0)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for len(s.Requests()) == 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(50 * time.Millisecond) // in which it could be answered
			cancel()
		}()
		_, err := client.Do(request(t, s, "POST", widgetsURL, strings.NewReader("x")).WithContext(ctx))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want none but our own", err)
		}
	})
}

func TestResetConnection(t *testing.T) {
	eachProtocol(t, func(t *testing.T, s *Server, client *http.Client) {
		s.Inject(Fault{Do: ResetConnection()})
		_, err := client.Do(request(t, s, "POST", widgetsURL, strings.NewReader("x")))
		// net/http's HTTP/2 client may report a broken connection as
		// io.ErrUnexpectedEOF, and a write that comes after the reset as EPIPE.
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v, want a reset", err)
		}
	})
}

func TestCutBody(t *testing.T) {
	eachProtocol(t, func(t *testing.T, s *Server, client *http.Client) {
		s.Inject(Fault{Do: CutBody(10)})
		resp, err := client.Do(request(t, s, "GET", widgetsURL, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil || len(b) != 10 {
			t.Errorf("read %d bytes, %v, want 10 and an error", len(b), err)
		}
	})
}

func TestSlowBody(t *testing.T) {
	eachProtocol(t, func(t *testing.T, s *Server, client *http.Client) {
		s.Inject(Fault{Do: SlowBody(2000, 5*time.Millisecond)})
		start := time.Now()
		resp, err := client.Do(request(t, s, "GET", widgetsURL, nil))
		if err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, resp); a.json == nil || time.Since(start) < 10*time.Millisecond {
			t.Errorf("%d bytes in %v, want a whole body, slowly", len(a.body), time.Since(start))
		}
	})
}

func TestEarlyAnswer(t *testing.T) {
	eachProtocol(t, func(t *testing.T, s *Server, client *http.Client) {
		s.Inject(Fault{Do: EarlyAnswer(413)})
		pr, pw := io.Pipe() // a body that never ends
		defer pw.Close()
		go pw.Write(bytes.Repeat([]byte("x"), 10))
		resp, err := client.Do(request(t, s, "POST", widgetsURL+"/issues", pr))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("status %d, want 413", resp.StatusCode)
		}
	})
}

func TestEarlyHintsAndTrailer(t *testing.T) {
	eachProtocol(t, func(t *testing.T, s *Server, client *http.Client) {
		s.Inject(Fault{Do: EarlyHints("</style.css>; rel=preload")})
		s.Inject(Fault{Do: Trailer("X-Checksum", "abc")})
		hint := ""
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hint = h.Get("Link")
			return nil
		}}
		req := request(t, s, "GET", widgetsURL, nil)
		resp, err := client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
		if err != nil {
			t.Fatal(err)
		}
		a := readAnswer(t, resp)
		if hint == "" || a.status != 200 || a.header.Get("Link") != "" {
			t.Errorf("hint %q, then %d with Link %q", hint, a.status, a.header.Get("Link"))
		}
		if got := resp.Trailer.Get("X-Checksum"); got != "abc" {
			t.Errorf("trailer %q, want abc", got)
		}
	})
}

func TestHandleOverrides(t *testing.T) {
	s := Start(t, Options{})
	s.Handle("api.github.com", "GET /echo/{what}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.PathValue("what"))
	}))
	if a := do(t, s, "GET", "https://api.github.com/echo/hi", "", ""); a.body != "hi" {
		t.Errorf("hook answered %d %q, want hi", a.status, a.body)
	}
	if a := do(t, s, "GET", "https://api.github.com/meta", "", ""); a.status != 200 {
		t.Errorf("beside the hook: %d, want 200", a.status)
	}
}
