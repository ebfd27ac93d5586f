package proxy

import (
	"errors"
	"net/http"
)

// errInterimLeak is in the log of a request of which the client got only the
// final answer.
var errInterimLeak = errors.New("an interim answer of GitHub's contained the credential that it was asked with, or an App's key: it was left out")

// guardAnswer refuses an answer whose head contains one of the secrets, and
// makes the body fail where it does, within its first guardedBytes. Some
// services echo what they are sent: debug pages, error reports, a misconfigured
// proxy in front of an Enterprise Server. Of an App's key, which somebody may have
// committed, some lines of its PEM are looked for.
//
// Limitations: it looks for the secrets as they are sent and written, whatever
// the answer says of its coding. It does not see into compressed bodies, as
// clones and archives are, nor secrets in another encoding, as the API has files
// in base64, nor keys whose lines are not those of PEM, nor beyond the first
// guardedBytes. It looks for the keys of the App whose credential left, and for
// none where none did.
func guardAnswer(x *exchange, resp *http.Response) error {
	secrets := x.credential.Marks()
	if secrets.None() || resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if holdsAny(resp.Header, secrets) {
		return errLeak
	}
	if resp.Body != nil && resp.Body != http.NoBody {
		resp.Body = x.guarded.begin(resp, secrets)
	}
	return nil
}

// mayPass reports whether the fields of an interim answer (1xx) may pass: it
// is left out where they contain a secret, since the client need not get it (RFC
// 9110, section 15.2).
func (x *exchange) mayPass(fields http.Header) bool {
	if !holdsAny(fields, x.credential.Marks()) {
		return true
	}
	x.interimLeak.Store(true)
	return false
}
