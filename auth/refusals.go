package auth

import (
	"net/http"
	"time"

	"ghapp-proxy/answer"
)

// How a client is answered for the errors of this package that are nobody's fault
// but the person's at the tool, with 403, or of those who run the proxy, with 404
// and 500.
var (
	notInstalled = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%v", About: "no installation on … covers …",
	})
	noClientSecret = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%v", About: "there is no client secret for the operation",
	})
	outOfScope = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%v", About: "the client's limits leave nothing of the token",
	})
	unknownIssuer = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%v", About: "the program's JWT is of an App that is not configured",
	})
	wrongMapping = answer.Define(answer.Kind{
		Status: http.StatusNotFound, Code: answer.ConfigurationError,
		Title: "%v", About: "the configuration maps the owner to an installation of another account",
	})
	busy = answer.Define(answer.Kind{
		Status: http.StatusServiceUnavailable, Code: answer.LimitReached,
		Title: "%v", Remedy: "try again in a moment", About: "too many calls to GitHub are under way",
	})
	notSigned = answer.Define(answer.Kind{
		Status: http.StatusInternalServerError, Code: answer.InternalError,
		Title: "%v", About: "the App's JWT could not be signed",
	})
)

// Refusal implements answer.Refuser.
func (e *NotInstalledError) Refusal() *answer.Refusal {
	return notInstalled.Refuse(e).WithRemedy(e.Remedy())
}

// Refusal implements answer.Refuser.
func (e *ClientSecretError) Refusal() *answer.Refusal {
	return noClientSecret.Refuse(e).WithRemedy(e.Remedy())
}

// Refusal implements answer.Refuser.
func (e *ScopeError) Refusal() *answer.Refusal { return outOfScope.Refuse(e).WithRemedy(e.Hint) }

// Refusal implements answer.Refuser.
func (e *UnknownIssuerError) Refusal() *answer.Refusal {
	return unknownIssuer.Refuse(e).WithRemedy(e.Remedy())
}

// Refusal implements answer.Refuser.
func (e *MappingError) Refusal() *answer.Refusal {
	return wrongMapping.Refuse(e).WithRemedy(e.Remedy())
}

// Refusal implements answer.Refuser.
func (e *SigningError) Refusal() *answer.Refusal { return notSigned.Refuse(e).WithRemedy(e.Remedy()) }

// Refusal implements answer.Refuser.
func (e busyError) Refusal() *answer.Refusal {
	f := busy.Refuse(e)
	f.RetryAt = time.Now().Add(time.Second)
	return f
}
