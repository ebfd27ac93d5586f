package proxy

import (
	"net"
	"net/http"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/policy"
)

// identify finds out who a client is: the one whose listener it came in by,
// whose certificate, grant, token or secret it has, or whose network it is from, in this order.
func (p *Proxy) identify(now *state, by evidence) (caller, *answer.Refusal) {
	told, refused := p.clientOf(now, by)
	if told.guess {
		refused = p.guessed(by.peer.conn.RemoteAddr().String(), refused)
	}
	led := by.peer.to != nil
	if refused != nil {
		return caller{client: told.client, proof: told.proof, led: led}, refused
	}
	who, refused := now.caller(told)
	who.led = led
	who.anonymous = p.isAnonymous(now, told.client, by.listener)
	return who, refused
}

// isAnonymous reports whether somebody on a connection is none of the clients, and is let in because anybody is.
func (p *Proxy) isAnonymous(now *state, client *policy.Client, ln net.Listener) bool {
	return client == nil && now.Anonymous && !p.admissionOf(ln).Private
}

// admissionOf is that of the listener by which a connection came in.
func (p *Proxy) admissionOf(ln net.Listener) *Admission {
	if other, ok := ln.(*Listener); ok {
		return &other.Admission
	}
	return &p.opts.Admission
}

// Who is not let in.
var (
	noClient = answer.Define(answer.Kind{
		Status: http.StatusProxyAuthRequired, Code: answer.RequestDenied,
		Title:  "this proxy serves only clients that it knows",
		Remedy: "put a client's name and secret into the proxy URL: http://NAME:SECRET@HOST:PORT (ghapp-proxy client add NAME makes one)",
	})
	wrongSecret = answer.Define(answer.Kind{
		Status: http.StatusProxyAuthRequired, Code: answer.RequestDenied,
		Title:  "no client has this name and secret",
		Remedy: "check them in the proxy URL (ghapp-proxy client add NAME makes a new secret)",
	})
	manyGuesses = answer.Define(answer.Kind{
		Status: http.StatusTooManyRequests, Code: answer.RequestDenied,
		Title:  "too many wrong secrets from %s",
		Remedy: "check the name and the secret in the proxy URL, and wait",
	})
	listenerGone = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "the client of this listener is not configured any more",
	})
	listenerTaken = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "the configuration gives this listener to client %s, which takes a restart of the proxy",
		Remedy: "restart the proxy",
	})
	notAtListener = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%s", About: "this user, or this address, may not use the listener of client …",
	})
)

// clientOf is who a client is by a policy.
func (p *Proxy) clientOf(now *state, by evidence) (told, *answer.Refusal) {
	admission := p.admissionOf(by.listener)
	if other, ok := by.listener.(*Listener); ok && other.Client != "" {
		return now.byListener(by, other)
	}
	if admission.Private {
		return now.byPrivate(admission, by)
	}
	if told, refused, ok := now.byCertificate(by); ok {
		return told, refused
	}
	if sent, ok := grantIn(by.proxyAuthorization); ok {
		return now.byGrant(sent, by.peer) // which is never good for more, whoever else may send it
	}
	if sent, ok := now.tokenIn(by.proxyAuthorization); ok {
		return now.byToken(sent, by)
	}
	if len(now.Clients.All()) > 0 {
		if by.proxyAuthorization != "" {
			return now.byPassword(by.proxyAuthorization)
		}
		if c, ok := now.Clients.ByAddress(by.peer.address()); ok {
			return told{client: c}, nil
		}
		if !now.servesAnybody() {
			return told{}, challenge()
		}
	}
	anybody := *admission
	anybody.SameUser = anybody.SameUser && !now.Anonymous
	return told{}, anybody.admit(by)
}

// challenge asks for a name and a secret. Clients that know theirs may wait for
// that (RFC 9110, section 15.5.8), and git does.
func challenge() *answer.Refusal {
	refused := noClient.Refuse()
	refused.Challenge = true
	return refused
}

// byPassword is the client that a Proxy-Authorization field names.
func (now *state) byPassword(header string) (told, *answer.Refusal) {
	if user, password, ok := parseBasic(header); ok {
		if c, ok := now.Clients.ByPassword(user, password); ok {
			return told{client: c}, nil
		}
	}
	return told{guess: true}, wrongSecret.Refuse()
}

// byListener is the client whose own listener a connection came in by. Whoever
// reaches it is that client, in so far as the peer can be told. One that has become
// another client's is nobody's.
func (now *state) byListener(by evidence, at *Listener) (told, *answer.Refusal) {
	c, ok := now.Clients.ByName(at.Client)
	if !ok || at.Names == nil && c.Listen == "" {
		return told{}, listenerGone.Refuse()
	}
	if at.Names == nil && c.Listen != at.Address {
		if other, taken := now.Clients.ByListen(at.Address); taken && other != c {
			return told{}, listenerTaken.Refuse(other.Name)
		}
	}
	if why := by.peer.mayUseListener(c); why != "" {
		return told{}, notAtListener.Refuse(why).WithRemedy("name the user or the network in client." + c.Name + ".uids or .networks")
	}
	if sent, ok := grantIn(by.proxyAuthorization); ok {
		sent.user = c.Name
		return now.byGrant(sent, by.peer)
	}
	if sent, ok := now.tokenIn(by.proxyAuthorization); ok {
		sent.Client = c.Name
		return now.byToken(sent, by)
	}
	return told{client: c}, nil
}

// guessed counts a wrong secret and says what to answer; wrong says so. That slows down
// who guesses; a right secret is never refused, so that nobody can lock out
// another one behind the same address.
func (p *Proxy) guessed(remote string, wrong *answer.Refusal) *answer.Refusal {
	if !p.guesses.allow(remote) {
		refused := manyGuesses.Refuse(addressOf(remote))
		refused.RetryAt, refused.Quiet = time.Now().Add(time.Minute/maxGuesses), true
		return refused
	}
	return wrong
}
