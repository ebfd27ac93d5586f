package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
)

const (
	// maxAnswer bounds what is read of an answer. A mint that lists 500
	// repositories is the largest, at some 6 KB each.
	maxAnswer = 8 << 20
	// maxMessage bounds what of GitHub's words is passed on.
	maxMessage = 300
	// patience bounds one exchange with GitHub's API.
	patience = 30 * time.Second
)

// call makes one request to the App's API, authenticated as the App, and
// decodes a 2xx answer into out. Other answers become an *Error whose Status
// is set, wrapped in a *redirectError if they point elsewhere.
func (s *Source) call(ctx context.Context, app *appState, method, path string, body []byte, action string, out any) error {
	fail := func(err error) error { return &Error{App: app.Name, Action: action, Err: err} }
	jwt, err := app.signer.jwt()
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, app.API.String()+path, bodyReader(body))
	if err != nil {
		return fail(err)
	}
	req.Header["Authorization"] = jwt.bearer
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", s.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return fail(fmt.Errorf("read GitHub's answer: %w", err))
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return refusal(app.Name, action, resp, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fail(errors.New("GitHub's answer is not the JSON that was expected"))
	}
	return nil
}

// redirectError is a 3xx answer: a repository was renamed or transferred.
type redirectError struct {
	refused  *Error // for callers that do not follow
	location string
}

func (e *redirectError) Error() string { return e.refused.Error() }
func (e *redirectError) Unwrap() error { return e.refused }

// refusal turns an answer that is no success into an error.
func refusal(app, action string, resp *http.Response, text []byte) error {
	var answer struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(text, &answer) // HTML from a load balancer has no message
	e := &Error{App: app, Action: action, Status: resp.StatusCode, Message: clean(answer.Message)}
	e.Remedy = remedy(e.Status, e.Message)
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode < 400 {
		return &redirectError{e, location}
	}
	return e
}

// clean makes GitHub's words fit for one line of a log or an error.
func clean(message string) string {
	message = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, message)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	return message
}

func bodyReader(body []byte) io.Reader {
	if body == nil {
		return nil // a typed nil would be sent as a body
	}
	return bytes.NewReader(body)
}
