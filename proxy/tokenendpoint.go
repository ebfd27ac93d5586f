package proxy

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
)

const (
	// tokenPath is where the proxy's own address exchanges tokens: RFC 8693.
	tokenPath = "/token"
	// maxForm is how long a request for that may be, in bytes, and formTimeout how long it
	// may take.
	maxForm     = 32 << 10
	formTimeout = 10 * time.Second

	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token" // a grant of ours
	typeJWT       = "urn:ietf:params:oauth:token-type:jwt"
	typeID        = "urn:ietf:params:oauth:token-type:id_token"
)

// Why a token is not exchanged.
var (
	noExchange = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "not a request for the exchange of a token: %s",
		Remedy: "POST grant_type, subject_token and subject_token_type as a form (RFC 8693)",
	})
	notExchanged = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "tokens are not exchanged here",
	})
	noGrantsHere = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "client %s takes no grants",
		Remedy: "leave out client.NAME.grants = false",
	})
	noGrantKey = answer.Define(answer.Kind{
		Status: http.StatusServiceUnavailable, Code: answer.InternalError,
		Title:  "no grant can be made: the root key cannot be read",
		Remedy: "tell those who run the proxy",
	})
)

// exchanging is a request for the exchange of a token.
type exchanging struct {
	token  oidc.Sent
	grant  string // instead of the token, "" for none
	limits grant.Caveats
	scope  bool // there are limits
}

// serveToken exchanges a token of an issuer, or a grant, for a grant.
func (p *Proxy) serveToken(w http.ResponseWriter, r *http.Request) {
	by := p.use()
	defer by.release()
	c, made, refused := p.exchangeToken(w, r, by.state)
	e := tokenEvent(r, &c)
	if refused == nil && p.events.Audit().Required() {
		refused = begin(p.events, e)
		e.Phase = event.End
	}
	if refused != nil {
		refused = c.refusal(refused, e.ID)
		if refused.Status == http.StatusProxyAuthRequired { // which is for requests through a proxy
			refused.Status = http.StatusBadRequest
		}
		e.Decision, e.Err, e.Status, e.DecidedBy, e.Level = decisionOf(refused), refused, refused.Status, refused.DecidedBy, levelOf(refused)
		e.Unrecorded = refused.Quiet
		p.events.End(e)
		writeTokenError(w, refused)
		return
	}
	p.events.End(e)
	writeToken(w, made)
}

// tokenEvent is the event of an exchange.
func tokenEvent(r *http.Request, c *caller) *event.Event {
	e := &event.Event{
		Kind: event.Request, ID: event.NewID(), Time: time.Now(), Address: r.RemoteAddr, Method: r.Method, Host: cmp.Or(r.Host, "localhost"), Path: tokenPath,
		Operation: "token", Credential: "none", Decision: event.Answered, Status: http.StatusOK,
	}
	c.sign(e)
	return e
}

// exchangeToken makes the grant. The caller is who gets it, in so far as that is known.
func (p *Proxy) exchangeToken(w http.ResponseWriter, r *http.Request, now *state) (c caller, made *grant.Grant, refused *answer.Refusal) {
	asked, refused := readExchange(w, r)
	if refused != nil {
		refused.Quiet = !p.strangers.allow(r.RemoteAddr)
		return c, nil, refused
	}
	in := inboundOf(r.Context())
	by := in.evidence(http.Header{})
	by.waits = r.Context()
	only, refused := p.onlyClient(now, by)
	if refused != nil {
		refused.Quiet = refused.Quiet || !p.strangers.allow(r.RemoteAddr)
		return c, nil, refused
	}
	if only != "" {
		asked.token.Client = only
	}
	told, made, refused := now.exchangeFor(asked, by)
	if told.guess {
		refused = p.guessed(r.RemoteAddr, refused)
	}
	if refused != nil {
		refused.Quiet = refused.Quiet || !p.strangers.allow(r.RemoteAddr)
		return caller{client: told.client, proof: told.proof}, nil, refused
	}
	if c, refused = now.caller(told); refused == nil {
		refused = c.usage.keepPace(c.usage.bounds())
	}
	return c, made, refused
}

// onlyClient is whom a listener serves alone, "" for everybody.
func (p *Proxy) onlyClient(now *state, by evidence) (name string, refused *answer.Refusal) {
	if other, ok := by.listener.(*Listener); ok && other.Client != "" {
		_, refused := now.byListener(by, other)
		return other.Client, refused
	}
	if p.admissionOf(by.listener).Private || now.Grants == nil {
		return "", notExchanged.Refuse()
	}
	return "", nil
}

// readExchange reads a request for an exchange.
func readExchange(w http.ResponseWriter, r *http.Request) (asked exchanging, refused *answer.Refusal) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(formTimeout))
	form, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || form != "application/x-www-form-urlencoded" {
		return asked, noExchange.Refuse("its body is no form")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return asked, noExchange.Refuse("its form cannot be read, or is longer than 32 KiB")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return asked, noExchange.Refuse(strconv.QuoteToASCII(event.Clip(name)) + " is there twice") // RFC 6749, section 3.2
		}
	}
	return parseExchange(r.PostForm)
}

func parseExchange(form url.Values) (asked exchanging, refused *answer.Refusal) {
	get := form.Get
	text, is := get("subject_token"), get("subject_token_type")
	switch {
	case get("grant_type") != exchangeGrant:
		return asked, noExchange.Refuse("grant_type is not " + exchangeGrant)
	case get("actor_token") != "":
		return asked, noExchange.Refuse("actor_token is not taken")
	case get("requested_token_type") != "" && get("requested_token_type") != typeAccess:
		return asked, noExchange.Refuse("requested_token_type is not " + typeAccess)
	case grant.Is(text) && is == typeAccess:
		asked.grant = text
	case is == typeJWT, is == typeID:
		asked.token = oidc.Sent{Client: get("client_id"), Text: text}
	default:
		return asked, noExchange.Refuse("subject_token_type is not that of a token of an issuer, " + typeJWT + ", or of a grant, " + typeAccess)
	}
	asked.scope = strings.TrimSpace(get("scope")) != ""
	limits, err := grant.ParseScope(get("scope"), time.Now())
	if err != nil {
		return asked, noExchange.Refuse("scope: " + err.Error())
	}
	if asked.grant != "" && !asked.scope {
		return asked, noExchange.Refuse("scope is missing, which would make the grant a narrower one")
	}
	asked.limits = limits
	return asked, nil
}

// exchangeFor makes a grant for who holds a token, or a narrower one for who holds a
// grant.
func (now *state) exchangeFor(asked exchanging, by evidence) (is told, made *grant.Grant, refused *answer.Refusal) {
	var err error
	if asked.grant != "" {
		is, refused = now.byGrant(sentGrant{user: asked.token.Client, text: asked.grant}, by.peer)
		if refused == nil {
			made, err = grant.Parse(asked.grant)
		}
	} else {
		is, made, refused = now.grantFor(asked.token, by)
	}
	if refused == nil && err == nil && asked.scope {
		made, err = made.Narrow(asked.limits)
	}
	if refused == nil && err != nil {
		refused = noExchange.Refuse("scope: " + err.Error())
	}
	if refused != nil {
		return is, nil, refused
	}
	// Whoever gets it is who it says: that is what the record has.
	held, err := now.grants.Hold(made.Text(), time.Now())
	if err != nil {
		return is, nil, grantRefusal(err)
	}
	is.grant = held
	return is, made, nil
}

// grantFor is what a token is good for, as a grant.
func (now *state) grantFor(sent oidc.Sent, by evidence) (is told, made *grant.Grant, refused *answer.Refusal) {
	held, err := now.tokens.Use(by.waits, sent, time.Now())
	if err != nil {
		return told{guess: isWrong(err)}, nil, tokenRefusal(err)
	}
	is = told{client: held.Client, proof: proof{token: held}}
	if held.Client.NoGrants {
		return is, nil, noGrantsHere.Refuse(held.Client.Name)
	}
	keys, err := now.Grants.Keys.Keys()
	if err != nil {
		return is, nil, noGrantKey.Refuse()
	}
	caveats := held.Caveats()
	caveats.Expires = time.Now().Add(held.Lifetime).Unix()
	caveats.Actor, caveats.Purpose = clipped(held.Subject, grant.MaxActor), "token of "+held.Issuer
	if made, err = grant.New(keys, held.Client.Name, caveats); err != nil {
		refused = noExchange.Refuse(err.Error())
	}
	return is, made, refused
}

// clipped is as much of a text as there is room for, in bytes.
func clipped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.TrimSpace(strings.ToValidUTF8(text[:most-len("…")], "")) + "…"
}

// writeToken answers with a grant: RFC 8693, section 2.2.1.
func writeToken(w http.ResponseWriter, made *grant.Grant) {
	body, err := json.Marshal(map[string]any{
		"access_token": made.Text(), "issued_token_type": typeAccess, "token_type": "Bearer", "expires_in": int(time.Until(made.Expires()).Seconds()),
	})
	if err != nil {
		panic(err) // texts and numbers marshal
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	answer.WriteWhole(w, http.StatusOK, append(body, '\n'))
}

// writeTokenError answers with a refusal: RFC 8693, section 2.2.2.
func writeTokenError(w http.ResponseWriter, refused *answer.Refusal) {
	code := "invalid_request"
	if refused.Status == http.StatusServiceUnavailable || refused.Status == http.StatusTooManyRequests {
		code = "temporarily_unavailable"
	}
	refused.WriteOAuth(w, code)
}
