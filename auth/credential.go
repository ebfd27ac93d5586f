package auth

import (
	"fmt"
	"io"

	"ghapp-proxy/github"
	"ghapp-proxy/leak"
)

// Credential is what to send, and whose it is. The zero value is no credential.
// It prints as whose it is.
type Credential struct {
	App          *App
	Installation github.InstallationID // 0 for a JWT or a client secret
	// Fallback reports the default installation, for want of the owner's own.
	Fallback bool

	header  *header           // nil for none
	token   *Token            // nil for a JWT or a client secret, as the rest
	inst    *installation     // whose the token is
	narrow  *github.Narrowing // nil if the token is not narrowed
	standIn bool              // of another App than the one that serves first
}

// with returns the credential with an installation's token.
func (c Credential) with(token *Token) Credential {
	c.token, c.header = token, token.header(c.inst.Signers)
	return c
}

// isSame reports whether the credential is a token of that generation, or that JWT.
func (c Credential) isSame(other Credential) bool {
	if c.token != nil && other.token != nil {
		return c.inst.key == other.inst.key && c.token.Generation == other.token.Generation
	}
	return c.header == other.header
}

// Kind returns the credential's kind, nil for no credential.
func (c Credential) Kind() *Kind { return c.written().kind }

// JWT reports whether the credential is an App's JWT.
func (c Credential) JWT() bool { return c.Kind() == KindJWT }

// Anonymous reports whether there is nothing to send: the request may leave
// without Authorization.
func (c Credential) Anonymous() bool { return c.header == nil }

// Authorization returns the values of the Authorization field in a scheme. The
// caller must not change them. It fails where the kind has no such form.
func (c Credential) Authorization(scheme Scheme) ([]string, error) {
	return c.written().authorization(scheme)
}

// Bearer returns the Authorization values "Bearer …", nil if there are none.
// The caller must not change them.
func (c Credential) Bearer() []string { return c.written().in(SchemeBearer) }

// Token returns the Authorization values "token …", nil if there are none.
// The caller must not change them.
func (c Credential) Token() []string { return c.written().in(SchemeToken) }

// Basic returns the Authorization values "Basic …", nil if there are none.
// The caller must not change them.
func (c Credential) Basic() []string { return c.written().in(SchemeBasic) }

func (c Credential) written() *header {
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
func (c Credential) Fingerprint() string { return c.written().fingerprint }

// Marks are what gives the credential away where it is read, or what can make
// others: the token, the base64 of it that git is sent, and lines of the private
// keys that the App's Signers had when it was made, as GitHub hands them out and
// in PKCS#8.
func (c Credential) Marks() *leak.Marks { return c.written().marks }

// Grant returns what the token is good for, nil for what is no installation's.
// The caller must not change it.
func (c Credential) Grant() *Grant {
	if c.token == nil {
		return nil
	}
	return c.token.grant
}

// isYoung reports whether GitHub may not know the token everywhere, or not with all
// that it is good for.
func (c Credential) isYoung() bool { return c.token != nil && c.token.young() }
