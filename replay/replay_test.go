package replay

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// TestKeep: what was read of a body is there again, if it was all and small.
func TestKeep(t *testing.T) {
	text := strings.Repeat("x", 1000)
	for _, test := range []struct {
		name   string
		body   io.Reader
		length int64
		read   int64 // by the first attempt
		kept   bool
	}{
		{"all", strings.NewReader(text), 1000, 1000, true},
		{"half", strings.NewReader(text), 1000, 500, true},
		{"nothing", strings.NewReader(text), -1, 0, true},
		{"octet by octet", iotest.OneByteReader(strings.NewReader(text)), -1, 10, true},
		{"as much as is kept", strings.NewReader(strings.Repeat("x", Max)), -1, 10, true},
		{"more than is kept", strings.NewReader(strings.Repeat("x", Max+1)), -1, 10, false},
		{"more than is kept, as it says", strings.NewReader(strings.Repeat("x", Max+1)), Max + 1, 10, false},
		{"cut off", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF)), 1000, 1, false},
	} {
		want, _ := io.ReadAll(io.LimitReader(strings.NewReader(strings.Repeat("x", Max)), max(test.length, 0)))
		req := &http.Request{Body: io.NopCloser(test.body), ContentLength: test.length}
		body := Keep(req)
		io.CopyN(io.Discard, req.Body, test.read)
		req.Body.Close() // as a transport does
		kept, err := body.ReadOn(t.Context())
		if kept != test.kept || err != nil {
			t.Errorf("%s: kept %t, %v, want %t", test.name, kept, err, test.kept)
		}
		again, err := req.GetBody()
		if !test.kept {
			if !errors.Is(err, ErrNotKept) {
				t.Errorf("%s: GetBody: %v, want ErrNotKept", test.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		first, _ := io.ReadAll(again)
		if err := body.Rewind(req); err != nil {
			t.Fatal(err)
		}
		second, _ := io.ReadAll(req.Body)
		if !bytes.Equal(first, second) || len(first) == 0 || test.length > 0 && !bytes.Equal(first, want) {
			t.Errorf("%s: %d and %d octets again", test.name, len(first), len(second))
		}
	}
}

// TestKeepGetBody: a body that can be had again need not be kept.
func TestKeepGetBody(t *testing.T) {
	req, err := http.NewRequest("POST", "https://api.github.com/x", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	own := req.Body
	body := Keep(req)
	if req.Body != own {
		t.Error("the body is kept a second time")
	}
	io.ReadAll(req.Body)
	if kept, err := body.ReadOn(t.Context()); !kept || err != nil {
		t.Errorf("kept %t, %v", kept, err)
	}
	if err := body.Rewind(req); err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(req.Body); string(text) != "body" {
		t.Errorf("again it is %q", text)
	}
	none := &http.Request{}
	if body := Keep(none); body != nil || body.Rewind(none) != nil || none.Body != nil {
		t.Error("a request without a body got one")
	}
}

// TestPeek: what was looked at is still there.
func TestPeek(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	io.WriteString(w, "Bad credentials")
	w.Close()
	long := strings.Repeat("x", 2*maxPeek)
	for _, test := range []struct{ coding, body, want string }{
		{"", "Bad credentials", "Bad credentials"},
		{"gzip", zipped.String(), "Bad credentials"},
		{"gzip", "no gzip", ""},
		{"", long, long[:maxPeek]},
	} {
		resp := &http.Response{Header: http.Header{"Content-Encoding": {test.coding}}, Body: io.NopCloser(strings.NewReader(test.body))}
		if got := Peek(resp); got != test.want {
			t.Errorf("Peek = %.40q, want %.40q", got, test.want)
		}
		if rest, err := io.ReadAll(resp.Body); string(rest) != test.body || err != nil {
			t.Errorf("after Peek the body has %d octets, %v, want %d", len(rest), err, len(test.body))
		}
	}
}

// ending is a body that notes whether it was read to its end.
type ending struct {
	*strings.Reader
	ended bool
}

func (b *ending) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

func (b *ending) Close() error { return nil }

// TestPeekKeepsLittle: of a short answer no more is kept than it has, and whoever passes it on is told that it is there.
func TestPeekKeepsLittle(t *testing.T) {
	for text, want := range map[string]bool{"": false, "text": true} {
		body := &ending{Reader: strings.NewReader(text)}
		resp := &http.Response{Body: body, ContentLength: int64(len(text))}
		if got := Peek(resp); got != text {
			t.Errorf("Peek = %q, want %q", got, text)
		}
		if !body.ended {
			t.Errorf("%q was not read to its end", text)
		}
		if b, ok := resp.Body.(interface{ HasArrived() bool }); !ok || b.HasArrived() != want {
			t.Errorf("%q has not arrived, or nothing has", text)
		}
	}
	text := strings.Repeat("x", 1<<10)
	if n := testing.AllocsPerRun(100, func() {
		Peek(&http.Response{Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text))})
	}); n > 8 {
		t.Errorf("%v allocations", n)
	}
}
