package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// maxClaims bounds the claims of a JWT that are read, in bytes. An App's have
// three numbers or words.
const maxClaims = 4 << 10

// Issuer returns the iss claim of a JWT that a client made, "" for what is none.
// The signature is not looked at: the claim says which App a client means, and
// not who the client is.
func Issuer(jwt string) string {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 || base64.RawURLEncoding.DecodedLen(len(parts[1])) > maxClaims {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer json.RawMessage `json:"iss"` // GitHub accepts a number as well
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	var issuer string
	if json.Unmarshal(claims.Issuer, &issuer) == nil {
		return issuer
	}
	var id int64
	if json.Unmarshal(claims.Issuer, &id) == nil {
		return strconv.FormatInt(id, 10)
	}
	return ""
}

// AppOf returns the name of the App of a host that an iss claim means: its id
// or its client id. The error is an *UnknownIssuerError.
func (s *Source) AppOf(host, issuer string) (string, error) {
	for _, app := range s.apps[host] {
		if issuer == app.ClientID && issuer != "" || app.ID != 0 && issuer == strconv.FormatInt(app.ID, 10) {
			return app.Name, nil
		}
	}
	return "", &UnknownIssuerError{Host: host, Issuer: issuer, apps: s.apps[host]}
}

// UnknownIssuerError says that a client's JWT is that of an App that is not
// configured.
type UnknownIssuerError struct {
	Host   string
	Issuer string // as in the JWT

	apps []*appState
}

// Error implements error.
func (e *UnknownIssuerError) Error() string {
	return fmt.Sprintf("the JWT's iss is %q, which is no App that is configured for %s", clean(e.Issuer), e.Host)
}

// maxNamed bounds how many Apps a remedy names.
const maxNamed = 10

// Remedy says what the person at the program can do.
func (e *UnknownIssuerError) Remedy() string {
	var known []string
	for _, app := range e.apps[:min(len(e.apps), maxNamed)] {
		ids := app.ClientID
		if app.ID != 0 {
			ids = strings.TrimPrefix(fmt.Sprintf("%s or %d", ids, app.ID), " or ")
		}
		known = append(known, fmt.Sprintf("%s (%s)", ids, app.Name))
	}
	if len(known) == 0 {
		return "add an App with that host"
	}
	return "give the program the id of one that is: " + strings.Join(known, ", ") + "; or set id or client_id in the App's table"
}
