package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error says why a credential could not be had: GitHub refused, or could not
// be asked. Nothing in it is secret.
type Error struct {
	App    string // the App's name
	Action string // what was tried: "mint a token for installation 111"
	// Status is GitHub's, 0 if no usable answer arrived.
	Status int
	// Message is GitHub's, without line breaks and cut after 300 bytes.
	Message string
	Err     error // why no answer arrived, or was not understood
	// Remedy is what the person who runs the proxy can do, "" if nothing is known.
	Remedy string
	// RetryAt is when GitHub may be asked again, by our clock, if it refused
	// because of a rate limit; else it is zero.
	RetryAt time.Time

	location string        // where a 3xx answer points to
	wait     time.Duration // until RetryAt, when the answer came
	network  bool          // Err is the network's
	lasting  bool          // the same call will fail in the same way in a moment
	ofApp    bool          // it need not be so for another App
}

// Error implements error: one sentence with the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "App %s could not %s", e.App, e.Action)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": GitHub answered %d", e.Status)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, " %q", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause, nil if GitHub answered.
func (e *Error) Unwrap() error { return e.Err }

// isUnknownApp recognises the 404 for a JWT whose iss is no App of the instance.
func isUnknownApp(message string) bool { return strings.HasPrefix(message, "Integration not found") }

// isRateLimit recognises the answers that say nothing but their message about
// a limit.
func isRateLimit(status int, message string) bool {
	return status == 429 || status == 403 && strings.Contains(message, "rate limit")
}

// isOfApp reports whether GitHub refused an App for what need not be so for
// another one: a wrong key or id, an installation that is suspended or gone, a
// limit. An outage is everybody's: if another App, with other permissions,
// served meanwhile, nobody would notice the outage, but all its effects.
func isOfApp(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.ofApp
}

var errOtherRepository = errors.New("GitHub minted for another repository than was named, as it might where one was renamed: use its present name")
