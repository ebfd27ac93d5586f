package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"
)

const (
	// maxRefusal bounds what is read of an answer that is only worth its message.
	maxRefusal = 64 << 10
	// maxMessage bounds what of GitHub's words is passed on, in bytes.
	maxMessage = 300
	// patience bounds one exchange with GitHub's API.
	patience = 30 * time.Second
)

var (
	errNoID    = errors.New("GitHub's answer contains no installation id")
	errNoName  = errors.New("GitHub's answer contains no name")
	errNoToken = errors.New("GitHub's answer contains no usable token")

	errOtherRepository = errors.New("GitHub minted for another repository than was named, as it might where one was renamed: use its present name")
)

// apiCall is a request to the API of an App's instance.
type apiCall struct {
	app          *appState
	method, path string
	action       string        // for Error
	body         []byte        // JSON, nil for none
	as           Credential    // an installation's, the zero value for the App's JWT, which authenticate fills in
	inst         *installation // that a token is minted for, else nil
}

// do makes the call, up to three times where that may help, and decodes a 2xx
// answer into out. The error is an *Error.
func (s *Source) do(ctx context.Context, c apiCall, out any) error {
	if c.as.Anonymous() { // a Signer may need as much time as the call
		if _, err := s.jwt(ctx, c.app); err != nil {
			return c.unsigned(err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.persist(ctx, c, out); err != nil { // not a nil *Error
		return err
	}
	return nil
}

// try makes the call once, as c.as.
func (s *Source) try(ctx context.Context, c apiCall, out any) *Error {
	req, err := s.newRequest(ctx, c, c.as.Bearer())
	if err != nil {
		return c.fail(err)
	}
	resp, err := s.transport.RoundTrip(req) // follows no redirect
	if err != nil {
		return c.unreached(err)
	}
	defer resp.Body.Close()
	c.app.clock.observe(resp.Header.Get("Date"), resp.Header.Get("Age"))
	s.ObserveQuota(c.as, resp.Header)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what there is of it
		return c.refused(resp, text)
	}
	err = readAnswer(resp, out)
	if cut, ok := errors.AsType[*readError](err); ok {
		return c.unreached(fmt.Errorf("read GitHub's answer: %w", cut))
	}
	if err != nil {
		return c.fail(err)
	}
	return nil
}

func (s *Source) newRequest(ctx context.Context, c apiCall, authorization []string) (*http.Request, error) {
	var body io.Reader // a typed nil would be a body
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, c.app.API.String()+c.path, body)
	if err != nil {
		return nil, err
	}
	req.Header["Authorization"] = authorization
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", s.userAgent)
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.method == http.MethodPost {
		// One token more does no harm: a call whose connection is lost may be
		// made again. net/http does not send a field without values.
		req.Header["Idempotency-Key"] = []string{}
	}
	return req, nil
}

// fail says why there was no answer, or none that could be used.
func (c apiCall) fail(err error) *Error {
	return &Error{App: c.app.Name, Action: c.action, Err: err}
}

// unreached is fail where the network is to blame.
func (c apiCall) unreached(err error) *Error {
	e := c.fail(err)
	e.network = true
	return e
}

// refused turns an answer that is no success into an error.
func (c apiCall) refused(resp *http.Response, text []byte) *Error {
	var answer struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(text, &answer) // HTML from a load balancer has no message
	e := &Error{App: c.app.Name, Action: c.action, Status: resp.StatusCode, Message: clean(answer.Message)}
	e.Remedy = c.remedy(e.Status, e.Message)
	if e.wait = e.rateLimited(resp.Header, c.app.clock.now()); e.wait > 0 {
		e.RetryAt = time.Now().Add(e.wait)
	}
	if e.Status < 400 {
		e.location = resp.Header.Get("Location")
	}
	return e
}

// credentials matches JWTs and tokens of either format (docs.github.com
// "About authentication to GitHub"), in case an answer quotes what it refuses.
var credentials = regexp.MustCompile(`gh[a-z]_[0-9A-Za-z._-]{36,}|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+`)

// clean makes others' words fit for one line of a log or an error.
func clean(message string) string {
	message = credentials.ReplaceAllString(message, redacted)
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
