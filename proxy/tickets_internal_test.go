package proxy

import (
	"crypto/tls"
	"net"
	"testing"

	"ghapp-proxy/certs"
)

// sessionOf is a session of TLS as a server has it.
func sessionOf(t *testing.T) (state tls.ConnectionState, session *tls.SessionState) {
	t.Helper()
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{"github.com"}})
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go tls.Client(client, &tls.Config{InsecureSkipVerify: true, ServerName: "github.com", ClientSessionCache: tls.NewLRUClientSessionCache(1)}).Handshake()
	s := tls.Server(server, &tls.Config{
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Certificate(h.ServerName) },
		WrapSession: func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
			state, session = cs, ss
			client.Close()
			return []byte("x"), nil
		},
	})
	s.Handshake()
	if session == nil {
		t.Fatal("there was no session")
	}
	return state, session
}

// TestTicketKeysRotate: a ticket is good for seven days, wherever the secret is the same
// and the clock not a day behind.
func TestTicketKeysRotate(t *testing.T) {
	state, session := sessionOf(t)
	const today = 20_000
	secret := []byte("a secret")
	ticket, err := newTicketKeys(secret, today).config.EncryptTicket(state, session)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		secret string
		day    int64
		want   bool
	}{
		{"a secret", today, true}, {"a secret", today + 1, true}, {"a secret", today + 7, true}, {"a secret", today + 8, false},
		{"a secret", today - 1, true}, {"a secret", today - 2, false}, {"another", today, false}, {"", today, false},
	} {
		got, err := newTicketKeys([]byte(test.secret), test.day).config.DecryptTicket(ticket, state)
		if err != nil || (got != nil) != test.want {
			t.Errorf("with %q on day %d: %v, %v, want a session: %v", test.secret, test.day-today, got, err, test.want)
		}
	}
	if a, b := ticketKey(secret, today), ticketKey(secret, today+1); a == b {
		t.Error("two days have the same key")
	}
}
