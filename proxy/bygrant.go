package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/grant"
)

// Whose grant is not good.
var (
	wrongGrant = answer.Define(answer.Kind{
		Status: http.StatusProxyAuthRequired, Code: answer.RequestDenied,
		Title:  "%v",
		Remedy: "check the proxy URL: http://CLIENT:GRANT@HOST:PORT (ghapp-proxy grant prints one)",
		About:  "this is no grant of this proxy's, or it was changed",
	})
	spentGrant = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "%v",
		Remedy: "ask for another one (ghapp-proxy grant makes it)",
		About:  "the grant … has expired, is not good yet, is revoked, or may not be used from here",
	})
	unknownGrant = answer.Define(answer.Kind{
		Status: http.StatusServiceUnavailable, Code: answer.InternalError,
		Title:  "%v",
		Remedy: "tell those who run the proxy",
		About:  "nobody can tell whether a grant is good: the root key, or the list of those that are revoked, cannot be read",
	})
)

// sentGrant is a grant that a client has sent.
type sentGrant struct {
	user string // that came with it, "" for none
	text string
}

// grantIn is the grant in a Proxy-Authorization field, as its password or as a
// Bearer token (RFC 6750, section 2.1).
func grantIn(header string) (sent sentGrant, ok bool) {
	if user, password, ok := parseBasic(header); ok {
		return sentGrant{user, password}, grant.Is(password)
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.Trim(token, " ")
	return sentGrant{text: token}, strings.EqualFold(scheme, "Bearer") && grant.Is(token)
}

var errOtherClient = &grant.Error{Kind: grant.Forged, Reason: "the grant is not of the client that the proxy URL names"}

// byGrant is who holds a grant. Whose it was is told with a refusal, too.
func (now *state) byGrant(sent sentGrant, from *peer) (told, *answer.Refusal) {
	held, err := now.grants.Hold(sent.text, time.Now())
	if held == nil {
		return told{guess: true}, grantRefusal(err)
	}
	if sent.user != "" && sent.user != held.Client.Name {
		return told{guess: true}, grantRefusal(errOtherClient)
	}
	if err == nil {
		err = held.FromPlace(from.address())
	}
	return told{client: held.Client, proof: proof{grant: held}}, grantRefusal(err)
}

// byPrivate is who a private listener admits.
func (now *state) byPrivate(admission *Admission, by evidence) (told, *answer.Refusal) {
	if refused := admission.admit(by); refused != nil || admission.Grant == "" {
		return told{client: admission.As}, refused
	}
	who, refused := now.byGrant(sentGrant{text: admission.Grant}, by.peer)
	who.guess = false // nobody has sent it
	return who, refused
}

// grantRefusal is the answer to who sends a grant that is not good, nil if it is.
func grantRefusal(err error) *answer.Refusal {
	if err == nil {
		return nil
	}
	why, _ := errors.AsType[*grant.Error](err)
	switch {
	case why == nil, why.Kind == grant.Unusable:
		return unknownGrant.Refuse(err)
	case why.Kind == grant.Forged:
		return wrongGrant.Refuse(err)
	}
	return spentGrant.Refuse(err)
}

// stillGood refuses the next request of a connection whose grant, token or certificate is
// not good any more.
func (c *caller) stillGood() *answer.Refusal {
	switch {
	case !c.until.IsZero() && !time.Now().Before(c.until):
		return wrongCertificate.Refuse(errCertificateEnded)
	case c.grant != nil:
		return grantRefusal(c.now.grants.Good(c.grant, time.Now()))
	case c.token != nil:
		return tokenRefusal(c.now.tokens.Good(c.token, time.Now()))
	}
	return nil
}

// refusal is what the caller is told, as the answer to the request of that id.
func (c *caller) refusal(refused *answer.Refusal, id string) *answer.Refusal {
	own := refused.WithID(id)
	switch {
	case c.grant != nil:
		own.Asker = c.grant.String()
	case c.token != nil:
		own.Asker = c.token.String()
	}
	return own
}

// sign notes who asked.
func (c *caller) sign(e *event.Event) {
	e.Client, e.Transparent = c.clientName(), c.led
	if c.token != nil {
		signToken(e, c.token)
	}
	if c.grant == nil {
		return
	}
	e.Actor, e.Purpose, e.GrantEnds = c.grant.Actor(), c.grant.Purpose(), c.grant.Expires
	for _, link := range c.grant.Links {
		e.Grant = append(e.Grant, event.Link{ID: link.ID, Actor: link.Actor, Purpose: link.Purpose})
	}
}

// expires is when what is held ends, the zero value for never.
func (p *proof) expires() (end time.Time) {
	switch {
	case p.grant != nil:
		end = p.grant.Expires
	case p.token != nil:
		end = p.token.Expires
	}
	if end.IsZero() || !p.until.IsZero() && p.until.Before(end) {
		end = p.until
	}
	return end
}

// endsIn is for how long a connection may last that was opened at a time; 0 for any.
func (c *caller) endsIn(opened time.Time) (left time.Duration, ends bool) {
	if age := c.maxAge(); age > 0 {
		left, ends = age-time.Since(opened), true
	}
	if end := c.expires(); !end.IsZero() {
		if rest := time.Until(end); !ends || rest < left {
			left, ends = rest, true
		}
	}
	return left, ends
}

// keepGrantPace counts a request against those of a minute that the links of the
// caller's grant allow.
func (c *caller) keepGrantPace() *answer.Refusal {
	if c.grant == nil {
		return nil
	}
	for i := range c.grant.Links {
		link := &c.grant.Links[i]
		if link.RequestsPerMinute == 0 {
			continue
		}
		wait, ok := c.usage.paces.reserve(c.grant.IDs[i], link.RequestsPerMinute)
		if ok && wait == 0 {
			continue
		}
		refused := c.usage.tooMuch(fmt.Sprintf("%d requests a minute by grant %s", link.RequestsPerMinute, link.ID), "", max(wait, time.Second))
		if refused.DecidedBy = "grant." + link.ID + ".requests_per_minute"; !ok {
			refused.Title = fmt.Sprintf("client %s has more than %d grants in use that are limited in requests_per_minute", c.usage.name, maxPaces)
		}
		refused.Remedy = "wait"
		refused.Quiet = !c.usage.logged.Allow()
		return refused
	}
	return nil
}
