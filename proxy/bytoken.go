package proxy

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/oidc"
)

// Whose token is not good.
var (
	wrongToken = answer.Define(answer.Kind{
		Status: http.StatusProxyAuthRequired, Code: answer.RequestDenied,
		Title:  "%v",
		Remedy: "see what its issuer has put into it, and [client.NAME] oidc",
		About:  "the token is not one of an issuer's that is known here, is for somebody else, or fits no client",
	})
	spentToken = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "%v",
		Remedy: "ask its issuer for another one",
		About:  "the token has expired, is not good yet, or was used before",
	})
	unknownToken = answer.Define(answer.Kind{
		Status: http.StatusServiceUnavailable, Code: answer.InternalError,
		Title:  "%v",
		Remedy: "tell those who run the proxy, and try again",
		About:  "nobody can tell whether a token is good: the keys of its issuer cannot be had",
	})
)

// tokenIn is the token in a Proxy-Authorization field, as its password or as a Bearer
// token, where tokens are served.
func (now *state) tokenIn(header string) (sent oidc.Sent, ok bool) {
	if now.tokens == nil {
		return sent, false
	}
	if user, password, ok := parseBasic(header); ok {
		return oidc.Sent{Client: user, Text: password}, oidc.Is(password)
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.Trim(token, " ")
	return oidc.Sent{Text: token}, strings.EqualFold(scheme, "Bearer") && oidc.Is(token)
}

// byToken is who holds a token.
func (now *state) byToken(sent oidc.Sent, by evidence) (told, *answer.Refusal) {
	sent.Known = by.waits == nil
	held, err := now.tokens.Hold(cmp.Or(by.waits, context.Background()), sent, time.Now())
	if err != nil {
		return told{guess: isWrong(err)}, tokenRefusal(err)
	}
	return told{client: held.Client, proof: proof{token: held}}, nil
}

// isWrong reports whether a token may be a guess, or somebody trying out theirs.
func isWrong(err error) bool {
	why, _ := errors.AsType[*oidc.Error](err)
	return why != nil && why.Kind == oidc.Forged
}

// tokenRefusal is the answer to who sends a token that is not good, nil if it is.
func tokenRefusal(err error) *answer.Refusal {
	if err == nil {
		return nil
	}
	why, _ := errors.AsType[*oidc.Error](err)
	switch {
	case why == nil, why.Kind == oidc.Unusable:
		refused := unknownToken.Refuse(err)
		if why != nil {
			refused.Inside = cmp.Or(why.Inside, why.Reason)
		}
		return refused
	case why.Kind == oidc.Forged:
		return wrongToken.Refuse(err)
	}
	return spentToken.Refuse(err)
}

// signToken notes whose token it was.
func signToken(e *event.Event, held *oidc.Held) {
	e.Token = &event.Token{Issuer: held.Issuer, Subject: held.Subject, Claims: held.Claims}
}
