package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/auth"
)

const (
	// youngToken is for how long GitHub may not know a token everywhere, or
	// not with all its permissions. @octokit/auth-app waits as long.
	youngToken = 5 * time.Second
	// maxReplay bounds the body that is kept to be sent again.
	maxReplay = 1 << 20
	// maxPeek bounds what is read of an answer to see what it complains about.
	maxPeek = 4 << 10
)

// healer is the transport to GitHub. Where GitHub refuses an installation
// token that should be good, it tries again: with the same token if that was
// just minted and may not be known everywhere, else with a new one. Where it
// does not know the key of an App's JWT, another key has its turn; where it does
// not agree with its times, one by GitHub's clock. It is safe
// because a refused request was not carried out, and never a loop: GitHub locks
// out who fails to log in too often.
type healer struct {
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (h *healer) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	if x.credential.Installation == 0 && !x.credential.JWT() {
		return h.next.RoundTrip(req)
	}
	body := spoolBody(req)
	for attempt := 1; ; attempt++ {
		x.tries = attempt
		resp, err := h.next.RoundTrip(req)
		if err != nil || attempt > 3 || !body.replayable() {
			return resp, err
		}
		why := complaintOf(x, resp)
		if why == noComplaint {
			return resp, nil
		}
		again, err := mend(req.Context(), x, resp, why, attempt)
		if err != nil {
			resp.Body.Close()
			return nil, err
		}
		if !again {
			return resp, nil
		}
		resp.Body.Close() // and from here on the request may be changed
		body.rewind(req)
		delete(req.Header, "Authorization")
		if x.authorization != nil {
			req.Header["Authorization"] = x.authorization
		}
	}
}

// credentialError says why there is no other credential instead of one that
// GitHub refuses. GitHub's "Bad credentials" would blame the client's.
type credentialError struct{ error }

// Unwrap returns the cause.
func (e credentialError) Unwrap() error { return e.error }

// mend waits, or replaces the credential, and reports whether to try again. The
// error is a credentialError.
func mend(ctx context.Context, x *exchange, resp *http.Response, why complaint, attempt int) (again bool, err error) {
	if x.credential.Age() < youngToken+time.Duration(attempt*(attempt-1)/2)*time.Second {
		select {
		case <-time.After(time.Duration(attempt) * time.Second): // 1 + 2 + 3 seconds in all
			return true, nil
		case <-ctx.Done():
			return false, nil // nobody reads the answer
		}
	}
	if resp.StatusCode != http.StatusUnauthorized || attempt > 1 && why != aboutKey {
		return false, nil
	}
	var fresh auth.Credential
	if why == aboutClock {
		fresh, err = x.source.Redate(ctx, x.credential, resp.Header.Get("Date"), resp.Header.Get("Age"))
	} else {
		fresh, err = x.source.Replace(ctx, x.credential, x.want)
	}
	if err != nil {
		return false, credentialError{err}
	}
	if fresh == x.credential {
		return false, nil
	}
	x.credential = fresh
	x.authorization = authorizationOf(&x.route, fresh)
	return true, nil
}

// complaint is what GitHub's refusal may be about.
type complaint uint8

const (
	noComplaint complaint = iota // it is about what is asked, or is no refusal
	aboutToken
	aboutKey
	aboutClock
)

// complaintOf looks whether GitHub's answer may be about the credential rather
// than about what it is allowed. The answer stays readable.
//
// The messages are those that docs.github.com names in "Troubleshooting the
// REST API".
func complaintOf(x *exchange, resp *http.Response) complaint {
	// What the owner's own installation may do can become known late.
	late := !x.credential.Fallback && x.credential.Age() < youngToken
	about := noComplaint
	switch unauthorized := resp.StatusCode == http.StatusUnauthorized; {
	case x.credential.JWT():
		if !unauthorized {
			return noComplaint
		}
		switch text := peek(resp); {
		case strings.Contains(text, auth.KeyComplaint):
			about = aboutKey
		case auth.BlamesClock(text):
			about = aboutClock
		}
	case x.route.GitAuth:
		if unauthorized || late && resp.StatusCode == http.StatusNotFound {
			about = aboutToken
		}
	case unauthorized && strings.Contains(peek(resp), "Bad credentials"):
		about = aboutToken
	case resp.StatusCode == http.StatusForbidden && late && !x.route.UserOnly:
		if strings.Contains(peek(resp), "Resource not accessible by integration") {
			about = aboutToken
		}
	}
	return about
}

// peek returns the beginning of an answer's body, which stays readable; also
// where it is compressed as most clients ask for.
func peek(resp *http.Response) string {
	beginning, _ := io.ReadAll(io.LimitReader(resp.Body, maxPeek)) // an error is met again
	resp.Body = replayed{io.MultiReader(bytes.NewReader(beginning), resp.Body), resp.Body}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(beginning))
		if err != nil {
			return ""
		}
		beginning, _ = io.ReadAll(io.LimitReader(unzipped, maxPeek)) // what there is of it
	}
	return string(beginning)
}

// spooledBody keeps what was read of a request's body, as long as it is small.
type spooledBody struct {
	io.ReadCloser

	mu       sync.Mutex // the transport may read on after it has returned an answer
	kept     bytes.Buffer
	complete bool // the body was read to its end
	tooLarge bool
}

// spoolBody makes req's body keep what is read of it. nil means that there is
// no body.
func spoolBody(req *http.Request) *spooledBody {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	b := &spooledBody{ReadCloser: req.Body, tooLarge: req.ContentLength > maxReplay}
	req.Body, req.GetBody = b, b.again
	return b
}

// Read implements io.Reader.
func (b *spooledBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.tooLarge:
	case b.kept.Len()+n > maxReplay:
		b.tooLarge, b.kept = true, bytes.Buffer{}
	default:
		b.kept.Write(p[:n])
	}
	if err == io.EOF {
		b.complete = true
	}
	return n, err
}

// replayable reports whether all of the body is there to be sent again.
func (b *spooledBody) replayable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.complete && !b.tooLarge
}

// rewind gives req its body anew. The body must be replayable.
func (b *spooledBody) rewind(req *http.Request) {
	if b != nil {
		req.Body = io.NopCloser(bytes.NewReader(b.kept.Bytes()))
	}
}

// again is the request's GetBody.
func (b *spooledBody) again() (io.ReadCloser, error) {
	if !b.replayable() {
		return nil, errNotKept
	}
	return io.NopCloser(bytes.NewReader(b.kept.Bytes())), nil
}
