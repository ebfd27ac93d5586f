package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"ghapp-proxy/governor"
)

const (
	// maxRefusal bounds what is read of an answer that is only worth its message.
	maxRefusal = 64 << 10
	// patience bounds one exchange with GitHub's API.
	patience = 30 * time.Second
)

var (
	errNoID    = errors.New("GitHub's answer contains no installation id")
	errNoName  = errors.New("GitHub's answer contains no name")
	errNoToken = errors.New("GitHub's answer contains no usable token")
)

// do makes the call as the App, up to three times where that may help, and decodes
// a 2xx answer into out. The error is an *Error.
func (c *caller) do(ctx context.Context, call apiCall, out any) error {
	jwt, err := c.signedJWT(ctx) // a Signer may need as much time as the call
	if err != nil {
		e := c.unsigned(call, err)
		c.counts.count(call.method, e)
		c.standing.note(e)
		return e
	}
	err = c.doAs(ctx, call, out, func() (authority, error) {
		if usable := c.keyring.usable(); usable != nil {
			jwt = usable
		}
		return &ownAuthority{jwtAuthority{caller: c, jwt: jwt}}, nil
	})
	c.standing.note(err)
	return err
}

// doAs is do with another authority, which is made anew for each attempt.
func (c *caller) doAs(ctx context.Context, call apiCall, out any, as func() (authority, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := c.doRetrying(ctx, call, out, as)
	c.counts.count(call.method, err)
	if err != nil { // not a nil *Error
		return err
	}
	return nil
}

// doOnce makes the call, and does not try again.
func (c *caller) doOnce(ctx context.Context, call apiCall, out any, a authority) *Error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.try(ctx, call, out, func() (authority, error) { return a, nil })
}

// try makes the call once, but for what is healed.
func (c *caller) try(ctx context.Context, call apiCall, out any, as func() (authority, error)) *Error {
	a, err := as()
	if err != nil {
		return c.failed(call, err)
	}
	req, err := c.newRequest(ctx, call)
	if err != nil {
		return c.failed(call, err)
	}
	resp, err := send(c.held(call, a), req, a) // follows no redirect
	if refused, ok := errors.AsType[*governor.Refusal](err); ok {
		return c.heldBack(call, refused)
	}
	if err != nil {
		e := c.unreached(call, err)
		c.clock.contact.miss(ctx, e)
		return e
	}
	c.clock.contact.reach()
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what there is of it
		return c.refusedBy(call, resp, text)
	}
	err = readAnswer(resp, out)
	if cut, ok := errors.AsType[*readError](err); ok {
		return c.unreached(call, fmt.Errorf("read GitHub's answer: %w", cut))
	}
	if err != nil {
		return c.failed(call, err)
	}
	return nil
}

func (c *caller) newRequest(ctx context.Context, call apiCall) (*http.Request, error) {
	var body io.Reader // a typed nil would be a body
	if call.body != nil {
		body = bytes.NewReader(call.body)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, c.API.String()+call.path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", c.userAgent)
	if call.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if call.method == http.MethodPost {
		// One token more does no harm: a call whose connection is lost may be
		// made again. net/http does not send a field without values.
		req.Header["Idempotency-Key"] = []string{}
	}
	return req, nil
}

// doRetrying makes the call until it is answered, in so far as that may help.
func (c *caller) doRetrying(ctx context.Context, call apiCall, out any, as func() (authority, error)) *Error {
	start := time.Now()
	for tries := 1; ; tries++ {
		err := c.try(ctx, call, out, as)
		pause := call.pause(err, tries)
		if pause == 0 || ctx.Err() != nil || time.Since(start)+pause > retryTimeout {
			return err
		}
		c.counts.retries[outcomeOf(err)].Add(1)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// pause is how long to wait before the call is made again, 0 if it is not. A
// rate limit that ends soon is waited for once, where only a question is asked.
func (c apiCall) pause(e *Error, tries int) time.Duration {
	switch {
	case e == nil, tries == maxTries:
		return 0
	case e.transient():
		pause := firstPause << (tries - 1)
		return pause - jitter(pause/2)
	case tries == 1 && c.method == http.MethodGet && e.wait <= maxWait:
		return e.wait
	}
	return 0
}

// rememberRefusal keeps GitHub's refusal as long as it will refuse the same.
func (f *flights) rememberRefusal(key string, err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		f.remember(key, err, e.cacheFor())
	}
}
