package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"ghapp-proxy/github"
)

// caller makes the calls to the API of an App's instance.
type caller struct {
	*App
	prefix    string // of keys that are the App's, as long as it does not change
	transport http.RoundTripper
	userAgent string
	log       *slog.Logger
	*flights
	clock   *clock // the instance's
	keyring keyring
	quotas  *quotas // of the App's installations
	vault   *vault  // what replicas share of it

	granted  atomic.Pointer[Grant] // with the last mint of a token for all repositories
	standing standing
	counts   counts
}

// apiCall is a call to the API.
type apiCall struct {
	method, path string
	action       string        // for Error
	body         []byte        // JSON, nil for none
	unknown      func() string // the remedy where GitHub answers 404, nil for none
}

// fillKeyring gives the caller the App's keys.
func (c *caller) fillKeyring() {
	k := &c.keyring
	k.name, k.issuer, k.signers, k.remedy = c.Name, c.issuer(), c.Signers, c.keyRemedy()
	k.clock, k.log = c.clock, c.log
}

// signedJWT returns the App's JWT, which is signed once for everybody who is
// waiting. The error is a *SigningError or about ctx.
func (c *caller) signedJWT(ctx context.Context) (*header, error) {
	if h := c.keyring.usable(); h != nil {
		return h, nil
	}
	flight := fmt.Sprintf("jwt|%s%d", c.prefix, c.keyring.currentGeneration())
	return once(ctx, c.flights, flight, c.keyring.sign)
}

// jwtInsteadOf returns a JWT by another key for one that GitHub refused, or by
// the same Signer if it has another key now; nil if all have been refused.
func (c *caller) jwtInsteadOf(ctx context.Context, refused *header) (*header, error) {
	if !c.keyring.refuse(refused) {
		return nil, nil
	}
	h, err := c.signedJWT(ctx)
	if err != nil || c.keyring.allRefused() {
		return nil, err
	}
	return h, nil
}

// failed says why there was no answer, or none that could be used.
func (c *caller) failed(call apiCall, err error) *Error {
	return &Error{App: c.Name, Action: call.action, Err: err}
}

// unreached is failed where the network is to blame.
func (c *caller) unreached(call apiCall, err error) *Error {
	e := c.failed(call, err)
	e.network = true
	return e
}

// unsigned is failed where there is no JWT to make the call with.
func (c *caller) unsigned(call apiCall, err error) *Error {
	e := c.failed(call, err)
	if signing, ok := errors.AsType[*SigningError](err); ok {
		e.Remedy = signing.Remedy()
	}
	return e
}

// refusedBy turns an answer that is no success into an error.
func (c *caller) refusedBy(call apiCall, resp *http.Response, text []byte) *Error {
	var answer struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(text, &answer) // HTML from a load balancer has no message
	e := &Error{App: c.Name, Action: call.action, Status: resp.StatusCode, Message: github.Redact(answer.Message)}
	e.Remedy = c.remedy(call, e.Status, e.Message)
	if e.wait = e.rateLimited(resp.Header, c.clock.now()); e.wait > 0 {
		e.RetryAt = time.Now().Add(e.wait)
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
		e.ofApp = true
	}
	if e.Status < 400 {
		e.location = resp.Header.Get("Location")
	}
	return e
}

// remedy explains GitHub's refusal to mint or to look up. The messages are
// those that docs.github.com and users report; an unknown one speaks for itself.
func (c *caller) remedy(call apiCall, status int, message string) string {
	clock := strings.Contains(message, "('exp')") || strings.Contains(message, "('iat')")
	switch {
	case status == 404 && isUnknownApp(message):
		return "check id or client_id, and host: " + string(c.Instance) + " has no such App" + c.oldServer()
	case status == 401 && clock:
		return "set the clock of the machine that runs the proxy: it differs from GitHub's"
	case status == 401:
		return c.keyRemedy()
	case status == 403 && strings.Contains(message, "suspended"):
		return "unsuspend the installation in the account's settings"
	case status == 404 && call.unknown != nil:
		return call.unknown()
	case status == 422:
		return "grant the App the repository or the permission, and accept it in the installation"
	case isRateLimit(status, message):
		return "wait for GitHub's rate limit to reset"
	case status >= 500 && c.Instance == github.GitHubCom:
		return "try again later; see https://www.githubstatus.com"
	case status >= 500:
		return "try again later; ask those who run " + string(c.Instance)
	}
	return ""
}
