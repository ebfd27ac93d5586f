package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
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
// or its client id. Where only one of them is configured, GitHub is asked for the
// other, once. The error is an *UnknownIssuerError.
func (s *Source) AppOf(ctx context.Context, host, issuer string) (string, error) {
	for _, app := range s.apps[host] {
		if app.identity().isMeantBy(issuer) {
			return app.Name, nil
		}
	}
	for _, app := range s.apps[host] {
		if app.identity().couldBeMeantBy(issuer) && s.identify(ctx, app).isMeantBy(issuer) {
			return app.Name, nil
		}
	}
	return "", &UnknownIssuerError{Host: host, Issuer: issuer, apps: s.apps[host]}
}

// identity is by what an App can be called in a JWT, and its page.
type identity struct {
	ID       int64  `json:"id"`
	ClientID string `json:"client_id"`
	Page     string `json:"html_url"`
}

// identity is what is known of the App's: what is configured, and what GitHub told.
func (a *appState) identity() identity {
	if told := a.told.Load(); told != nil {
		return *told
	}
	return identity{ID: a.ID, ClientID: a.ClientID}
}

func (i identity) isMeantBy(issuer string) bool {
	return issuer != "" && (issuer == i.ClientID || i.ID != 0 && issuer == strconv.FormatInt(i.ID, 10))
}

// clientID is the form of one: docs.github.com "Generating a JSON Web Token (JWT)
// for a GitHub App".
var clientID = regexp.MustCompile(`^Iv[0-9A-Za-z.]{1,38}$`)

// couldBeMeantBy reports whether an issuer has the form of what is not known.
func (i identity) couldBeMeantBy(issuer string) bool {
	_, err := strconv.ParseInt(issuer, 10, 64)
	return i.ID == 0 && err == nil || i.ClientID == "" && clientID.MatchString(issuer)
}

// identify asks GitHub by what an App is called: docs.github.com "Get the
// authenticated app". What the configuration says stays.
func (s *Source) identify(ctx context.Context, app *appState) identity {
	flight := "identity|" + app.prefix
	if app.told.Load() != nil || s.refusal(flight) != nil {
		return app.identity()
	}
	known, err := once(ctx, s, flight, func(ctx context.Context) (identity, error) {
		var told identity
		c := apiCall{app: app, method: http.MethodGet, path: "/app", action: "ask for its ids"}
		if err := s.do(ctx, c, &told); err != nil {
			s.remember(flight, err)
			s.log.Warn("GitHub does not say by what an App is called: the JWT of a program that has its other id is refused", "app", app.Name, "error", err)
			return identity{}, err
		}
		if app.ID != 0 {
			told.ID = app.ID
		}
		told.ClientID = cmp.Or(app.ClientID, told.ClientID)
		app.told.Store(&told)
		return told, nil
	})
	if err != nil {
		return app.identity()
	}
	return known
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
		by := app.identity()
		ids := by.ClientID
		if by.ID != 0 {
			ids = strings.TrimPrefix(fmt.Sprintf("%s or %d", ids, by.ID), " or ")
		}
		known = append(known, fmt.Sprintf("%s (%s)", ids, app.Name))
	}
	if len(known) == 0 {
		return "add an App with that host"
	}
	return "give the program the id of one that is: " + strings.Join(known, ", ") + "; or set id or client_id in the App's table"
}
