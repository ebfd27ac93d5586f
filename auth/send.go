package auth

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/replay"
)

const (
	// youngToken is for how long GitHub may not know a token everywhere.
	// @octokit/auth-app waits as long.
	youngToken = 5 * time.Second
	// maxTokenWaits is how often a 401 for a token that GitHub minted a moment ago is
	// waited for: for 1, 2, 3, 4 and 5 seconds. It cannot be about anything but
	// replication, unless the token was revoked at once.
	maxTokenWaits = 5
	// maxGrantWaits is the same for an answer that may be about something else.
	maxGrantWaits = 3
)

// authority is what a request is sent with, and what is done where GitHub refuses
// it. It serves one request.
type authority interface {
	// authorization returns the value of the Authorization field, nil for none.
	authorization() ([]string, error)
	// observe learns from the head of an answer.
	observe(resp *http.Response)
	// complaint returns what of the credential an answer is about, 0 for nothing
	// that can be healed. The answer stays readable.
	complaint(resp *http.Response) complaints
	// heal waits, or takes another credential, and reports whether to send the
	// request again.
	heal(ctx context.Context, resp *http.Response, about complaints) (again bool, err error)
	// abandon is told of a complaint about a request that cannot be sent again.
	abandon(about complaints)
	// tally is where it is counted what was healed.
	tally() *counts
}

// send sends a request with a credential, in place of any other, and again where
// GitHub refuses what can be healed. It is safe because a refused request was not
// carried out. It is never a loop: GitHub locks out who fails to log in too often.
func send(next http.RoundTripper, req *http.Request, a authority) (*http.Response, error) {
	body := replay.Keep(req)
	for {
		authorization, err := a.authorization()
		if err != nil {
			return nil, err
		}
		delete(req.Header, "Authorization")
		if authorization != nil {
			req.Header["Authorization"] = authorization
		}
		resp, err := next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		a.observe(resp)
		about := a.complaint(resp)
		if about == 0 {
			return resp, nil
		}
		again, err := sendAgain(req, resp, body, a, about)
		if !again && err == nil {
			return resp, nil
		}
		resp.Body.Close() // and from here on the request may be changed
		if err == nil {
			err = body.Rewind(req)
		}
		if err != nil {
			return nil, err
		}
	}
}

// sendAgain heals what can be healed, and reports whether to send the request again.
func sendAgain(req *http.Request, resp *http.Response, body *replay.Body, a authority, about complaints) (bool, error) {
	kept, err := body.ReadOn(req.Context())
	switch {
	case err != nil:
		return false, err
	case !kept:
		a.abandon(about)
		return false, nil
	}
	again, err := a.heal(req.Context(), resp, about)
	if again {
		a.tally().healed(about)
	}
	return again, err
}

// waits are those for GitHub to know a token everywhere.
type waits int

// wait waits longer each time, and reports whether anybody still reads the answer.
func (w *waits) wait(ctx context.Context) bool {
	*w++
	select {
	case <-time.After(time.Duration(*w) * time.Second):
		return true
	case <-ctx.Done():
		return false
	}
}

// clockComplaints are parts of the messages by which GitHub refuses a JWT
// because of its times; @octokit/auth-app, src/hook.ts, matches the same.
var clockComplaints = []string{
	"'Expiration time' claim ('exp') is too far in the future",
	"'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
	"'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
}

// complaintAboutJWT looks what GitHub's answer says of a JWT. The messages are
// those that docs.github.com names in "Troubleshooting the REST API".
func complaintAboutJWT(resp *http.Response) complaints {
	if resp.StatusCode != http.StatusUnauthorized {
		return 0
	}
	text := replay.Peek(resp)
	blames := func(complaint string) bool { return strings.Contains(text, complaint) }
	switch {
	case blames(KeyComplaint):
		return aboutKey
	case slices.ContainsFunc(clockComplaints, blames):
		return aboutClock
	}
	return 0
}

// isInaccessible is GitHub's 403 for a token without the permission: docs.github.com
// "Troubleshooting the REST API", "Resource not accessible".
func isInaccessible(text string) bool {
	return strings.Contains(text, "Resource not accessible by integration")
}
