package proxy

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// ticketDays is for how many days a key decrypts what it has encrypted: as long as
	// crypto/tls accepts a ticket, which is as long as it may (RFC 8446, section 4.6.1).
	ticketDays = 7
	// day is for how long a key encrypts.
	day = 24 * time.Hour
)

// tickets encrypts the sessions that clients resume. In TLS 1.3 that is done by keys
// made of the Configuration's TicketSecret, another one for each day, so that a session
// outlives the process and is known to all that have the same secret.
//
// Who has such a key can pass for the proxy, as who has the key of its CA can, but
// cannot read what was sent: a session that is resumed agrees on new secrets
// (RFC 8446, section 2.2; crypto/tls does not do it without). A ticket of TLS 1.2 holds
// the session's own secret, so that its keys are of this process alone, and are
// forgotten.
type tickets struct {
	secret func() []byte // in force, nil for none

	ours   tls.Config // has the keys of this process alone, which crypto/tls makes
	shared atomic.Pointer[ticketKeys]
}

// ticketKeys are those of one secret and one day.
type ticketKeys struct {
	secret string
	day    int64
	config *tls.Config // which encrypts with the first and decrypts with all
}

// use has a configuration use the tickets.
func (t *tickets) use(config *tls.Config) {
	config.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		return t.config(state.Version).EncryptTicket(state, session)
	}
	config.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		return t.config(state.Version).DecryptTicket(ticket, state)
	}
}

// config is what encrypts tickets of a version of TLS.
func (t *tickets) config(version uint16) *tls.Config {
	secret := t.secret()
	if version != tls.VersionTLS13 || len(secret) == 0 {
		return &t.ours
	}
	today := int64(time.Since(time.Unix(0, 0)) / day)
	keys := t.shared.Load()
	if keys == nil || keys.day != today || keys.secret != string(secret) {
		keys = newTicketKeys(secret, today)
		t.shared.Store(keys)
	}
	return keys.config
}

// newTicketKeys makes the keys of a day, of those before, and of the next, for those
// whose clock is ahead.
func newTicketKeys(secret []byte, today int64) *ticketKeys {
	list := [][32]byte{ticketKey(secret, today), ticketKey(secret, today+1)}
	for before := range int64(ticketDays) {
		list = append(list, ticketKey(secret, today-1-before))
	}
	config := new(tls.Config)
	config.SetSessionTicketKeys(list)
	return &ticketKeys{secret: string(secret), day: today, config: config}
}

func ticketKey(secret []byte, day int64) [32]byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "session tickets of day "+strconv.FormatInt(day, 10), 32)
	if err != nil {
		panic(err) // it is no longer than HKDF makes
	}
	return [32]byte(key)
}
