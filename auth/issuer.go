package auth

import (
	"context"
	"fmt"
	"strings"

	"ghapp-proxy/github"
)

// AppOf returns the name of the App of an instance that an iss claim means: its id
// or its client id. Where only one of them is configured, GitHub is asked for the
// other, once. The error is an *UnknownIssuerError.
func (s *Source) AppOf(ctx context.Context, instance github.Instance, issuer string) (string, error) {
	for _, app := range s.apps[instance] {
		if app.identity().isMeantBy(issuer) {
			return app.Name, nil
		}
	}
	for _, app := range s.apps[instance] {
		if app.identity().couldBeMeantBy(issuer) && app.identify(ctx).isMeantBy(issuer) {
			return app.Name, nil
		}
	}
	return "", &UnknownIssuerError{Instance: instance, Issuer: issuer, apps: s.apps[instance]}
}

// UnknownIssuerError says that a client's JWT is that of an App that is not
// configured.
type UnknownIssuerError struct {
	Instance github.Instance
	Issuer   string // as in the JWT

	apps []*appState
}

// Error implements error.
func (e *UnknownIssuerError) Error() string {
	return fmt.Sprintf("the JWT's iss is %q, which is no App that is configured for %s", github.Redact(e.Issuer), e.Instance)
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
