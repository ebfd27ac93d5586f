package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/panics"
	"ghapp-proxy/replay"
)

// hasty is a GitHub that refuses the first token by the head of a request: of its
// body it has read so much by then.
type hasty struct {
	*refuser
	read int64
}

func (g *hasty) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/x" && r.Header.Get("Authorization") == "Bearer ghs_1" {
		io.CopyN(io.Discard, r.Body, g.read)
		r.Body.Close() // as http.RoundTripper asks for
		return &http.Response{StatusCode: 401, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(badCredentials)), Request: r}, nil
	}
	return g.refuser.RoundTrip(r)
}

// slowBody comes in parts, each after a time.
func slowBody(pause time.Duration, parts ...string) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if len(parts) == 0 {
			return 0, io.EOF
		}
		time.Sleep(pause)
		n := copy(p, parts[0])
		if parts[0] = parts[0][n:]; parts[0] == "" {
			parts = parts[1:]
		}
		return n, nil
	})
}

// closable is a body that cannot be read when it is closed.
type closable struct {
	io.Reader
	closed bool
}

func (b *closable) Close() error { b.closed = true; return nil }

func (b *closable) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.Reader.Read(p)
}

// TestHealEarlyRefusal: a request that GitHub refuses before it has read the body
// is sent again with all of it, if that comes.
func TestHealEarlyRefusal(t *testing.T) {
	const text = "first second"
	for name, test := range map[string]struct {
		body   io.Reader
		length int64 // -1 if it is not known
		read   int64
		want   int
		took   time.Duration
	}{
		"all but its end":      {io.MultiReader(strings.NewReader(text), slowBody(2*replay.ReadOnTime, "x")), int64(len(text)), int64(len(text)), 200, 0},
		"a part":               {slowBody(0, text), int64(len(text)), 5, 200, 0},
		"nothing":              {slowBody(0, text), -1, 0, 200, 0},
		"a part, more to come": {slowBody(time.Second, "first", " second"), int64(len(text)), 5, 200, 2 * time.Second},
		"chunks, more to come": {slowBody(500*time.Millisecond, "first", " ", "second"), -1, 5, 200, 1500 * time.Millisecond},
		"nothing that comes":   {slowBody(2*replay.ReadOnTime, text), int64(len(text)), 0, 401, replay.ReadOnTime},
		"too much":             {slowBody(2*replay.ReadOnTime, text), maxReplay + 1, 0, 401, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &hasty{refuser: &refuser{answer: func(string, string) (int, string) { return 200, "ok" }}, read: test.read}
				source := newSource(g.refuser)
				defer source.Close()
				cred, err := source.ForOwner(t.Context(), "github.com", github.Account{Login: "acme"}, true)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				x := &exchange{source: source, want: acme, credential: cred, authorization: cred.Bearer(), Verdict: decide.Verdict{Reads: true}}
				req, err := http.NewRequestWithContext(context.WithValue(t.Context(), exchangeKey{}, x), "POST", "https://api.github.com/x", &closable{Reader: test.body})
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = test.length
				req.Header["Authorization"] = x.authorization
				start := time.Now()
				resp, err := exchangeOf(req).send(g, req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				defer time.Sleep(2 * replay.ReadOnTime) // until nobody reads any more
				if took := time.Since(start); resp.StatusCode != test.want || took != test.took {
					t.Errorf("%d after %v, want %d after %v", resp.StatusCode, took, test.want, test.took)
				}
				if test.want == 200 && (len(g.asked) != 1 || g.asked[0] != "ghs_2: "+text) {
					t.Errorf("GitHub was asked %q, want %q", g.asked, "ghs_2: "+text)
				}
			})
		})
	}
}

// TestReadOnFault: a fault in a body that is read on is the request's.
func TestReadOnFault(t *testing.T) {
	req, err := http.NewRequest("POST", "https://api.github.com/x", faultyBody{})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := replay.Keep(req).ReadOn(t.Context())
	if _, ok := errors.AsType[*panics.Fault](err); kept || !ok {
		t.Errorf("%v, %v, want a fault", kept, err)
	}
}
