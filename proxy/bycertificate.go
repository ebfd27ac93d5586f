package proxy

import (
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/policy"
)

// certified is whose certificate the peer of a connection has shown, by a state.
type certified struct {
	now    *state
	client *policy.Client
	until  time.Time
	err    error // why it is nobody's
}

// byCertificate is the client by the certificate that it has shown. ok is false where it
// has shown none, or where no client is told by one.
//
// A wrong one is not passed over: who shows it means to be somebody. It is not refused in
// the handshake, of whose alerts clients print no more than a name.
func (now *state) byCertificate(by evidence) (told told, refused *answer.Refusal, ok bool) {
	shown := presentedBy(by.peer.conn)
	if len(shown) == 0 || now.Clients.Roots() == nil {
		return told, nil, false
	}
	is := by.peer.certified.Load()
	if is == nil || is.now != now {
		is = &certified{now: now}
		is.client, is.until, is.err = now.Clients.ByCertificate(shown, time.Now())
		by.peer.certified.Store(is)
	}
	if is.err != nil {
		return told, wrongCertificate.Refuse(is.err), true
	}
	if told.client = is.client; !time.Now().Before(is.until) {
		return told, wrongCertificate.Refuse(errCertificateEnded), true
	}
	if sent, ok := grantIn(by.proxyAuthorization); ok {
		sent.user = is.client.Name
		told, refused = now.byGrant(sent, by.peer)
	} else if sent, ok := now.tokenIn(by.proxyAuthorization); ok {
		sent.Client = is.client.Name
		told, refused = now.byToken(sent, by)
	}
	told.until = is.until
	return told, refused, true
}
