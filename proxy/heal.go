package proxy

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
)

const (
	// maxPeek bounds what is read of an answer to see what it complains about.
	maxPeek = 4 << 10
)

// healer is the transport to GitHub. Where GitHub refuses an installation
// token that should be good, it tries again: with the same token if that was
// just minted and may not be known everywhere, else with a new one, or that of the
// installation that covers the repository now. Where it does not know the key of an App's JWT, another key has its turn; where it does
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
	if err := prove(req, x); err != nil {
		return nil, err
	}
	body := spoolBody(req)
	for attempt := 1; ; attempt++ {
		x.tries = attempt
		resp, err := h.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		why := complaintOf(x, resp)
		if why == noComplaint {
			return resp, nil
		}
		if kept, err := body.readOn(req.Context()); err != nil {
			resp.Body.Close()
			return nil, err
		} else if !kept {
			if why == aboutToken {
				x.source.Refused(x.credential)
			}
			return resp, nil
		}
		again, err := x.mend(req.Context(), resp, why)
		if err != nil {
			resp.Body.Close()
			return nil, err
		}
		if !again {
			return resp, nil
		}
		resp.Body.Close() // and from here on the request may be changed
		body.rewind(req)
		x.setAuthorization(req)
	}
}

// credentialError says why there is no other credential instead of one that
// GitHub refuses. GitHub's "Bad credentials" would blame the client's.
type credentialError struct{ error }

// Unwrap returns the cause.
func (e credentialError) Unwrap() error { return e.error }

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
