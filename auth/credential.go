package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Credential is what to send, and whose it is. The zero value is no credential.
// It prints as whose it is.
type Credential struct {
	App          *App
	Installation InstallationID // 0 for a JWT or a client secret
	// Fallback reports the default installation, for want of the owner's own.
	Fallback bool

	header  *header
	inst    *installation // nil for a JWT or a client secret
	narrow  *Narrowing    // nil if the token is not narrowed
	standIn bool          // of another App than the one that serves first
}

// header is a credential in the forms in which it can be sent, made once so
// that a request costs no allocation. The slices must not be changed.
type header struct {
	bearer, token, basic []string // nil where the form does not exist

	minted      time.Time   // when an installation token was made, by our clock
	grant       *Grant      // of an installation token
	proven      atomic.Bool // GitHub knows the token
	fingerprint string
	marks       []Mark
}

// JWT reports whether the credential is an App's JWT.
func (c Credential) JWT() bool { return c.forms().bearer != nil && c.forms().token == nil }

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

// Fingerprint is the base64 of the SHA-256 of the token, by which GitHub's audit
// log calls it: docs.github.com "Identifying audit log events performed by an
// access token". It is "" for what is no installation token.
func (c Credential) Fingerprint() string { return c.forms().fingerprint }

// Marks are what gives the credential away where it is read, or what can make
// others: the token, the base64 of it that git is sent, and lines of the private
// keys that the App's Signers had when it was made, as GitHub hands them out and
// in PKCS#8. The caller must not change them.
func (c Credential) Marks() []Mark { return c.forms().marks }

// newTokenHeader makes the forms in which an App's installation token is sent.
func newTokenHeader(app *App, token string) *header {
	sum := sha256.Sum256([]byte(token))
	encoded := basic("x-access-token", token)
	return &header{
		minted:      time.Now(),
		fingerprint: base64.StdEncoding.EncodeToString(sum[:]),
		bearer:      []string{"Bearer " + token},
		token:       []string{"token " + token},
		basic:       []string{encoded},
		marks:       app.marks(token, encoded[len("Basic "):]),
	}
}

// newJWTHeader makes the form in which an App's JWT is sent.
func newJWTHeader(app *App, jwt string) *header {
	return &header{bearer: []string{"Bearer " + jwt}, marks: app.marks(jwt)}
}

// newClientHeader makes the form in which an App's client id and secret are sent.
func newClientHeader(app *App) *header {
	secret := string(app.ClientSecret)
	encoded := basic(app.ClientID, secret)
	return &header{basic: []string{encoded}, marks: app.marks(secret, encoded[len("Basic "):])}
}

// basic is RFC 7617's credential.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
