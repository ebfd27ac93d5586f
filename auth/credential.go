package auth

import (
	"encoding/base64"
	"fmt"
	"io"
	"time"
)

// Credential is what to send, and whose it is. The zero value is no credential.
// It prints as whose it is.
type Credential struct {
	App          *App
	Installation InstallationID // 0 for a JWT or a client secret
	// Fallback reports the default installation, for want of the owner's own.
	Fallback bool

	header *header
	inst   *installation // nil for a JWT or a client secret
	narrow *Narrowing    // nil if the token is not narrowed
}

// header is a credential in the forms in which it can be sent, made once so
// that a request costs no allocation. The slices must not be changed.
type header struct {
	bearer, token, basic []string // nil where the form does not exist

	minted time.Time // when an installation token was made, by our clock
	grant  *Grant    // of an installation token
}

// Anonymous reports whether there is nothing to send: the request may leave
// without Authorization.
func (c Credential) Anonymous() bool { return c.header == nil }

// Bearer returns the Authorization values "Bearer …", nil if there are none.
// The caller must not change them.
func (c Credential) Bearer() []string { return c.forms().bearer }

// Token returns the Authorization values "token …", nil if there are none.
// The caller must not change them.
func (c Credential) Token() []string { return c.forms().token }

// Basic returns the Authorization values "Basic …", nil if there are none.
// The caller must not change them.
func (c Credential) Basic() []string { return c.forms().basic }

var noHeader header

func (c Credential) forms() *header {
	if c.header == nil {
		return &noHeader
	}
	return c.header
}

// String says whose credential it is.
func (c Credential) String() string {
	switch {
	case c.App == nil:
		return "none"
	case c.Installation == 0:
		return "App " + c.App.Name
	default:
		return fmt.Sprintf("installation %d of App %s", c.Installation, c.App.Name)
	}
}

// Format implements fmt.Formatter with String, whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// newTokenHeader makes the forms in which an installation token is sent.
func newTokenHeader(token string) *header {
	return &header{
		minted: time.Now(),
		bearer: []string{"Bearer " + token},
		token:  []string{"token " + token},
		basic:  []string{basic("x-access-token", token)},
	}
}

// basic is RFC 7617's credential.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
