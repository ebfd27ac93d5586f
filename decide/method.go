package decide

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"ghapp-proxy/answer"
)

// What a request must not be, so that it cannot mean something else to GitHub.
var (
	unservedMethod = answer.Define(answer.Kind{
		Status: http.StatusMethodNotAllowed, Code: answer.RequestError,
		Title:  "%s",
		Remedy: "methods are words in capitals, and CONNECT goes to the proxy",
		About:  "the method … is not served",
	})
	overridingField = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "the field %s asks for another method than the request's",
		Remedy: "send the request with that method",
	})
	nominatedField = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "Connection must not name %s",
		Remedy: "it is not for one connection only (RFC 9110, section 7.6.1)",
	})
	ambiguousField = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "the field %s can be taken for %s",
		Remedy: "leave it out",
	})
)

// refusesMethod says why no request with a method is served, "" if some are.
func refusesMethod(method string) string {
	// HTTP/2 has room for more than a token.
	if method == http.MethodConnect || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return fmt.Sprintf("the method %q is not served", method)
	}
	return ""
}

// overrides are fields by which some servers take one method for another.
var overrides = [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// checkMethod refuses requests that could be carried out as something else
// than they were classified as.
func (d *decision) checkMethod() *answer.Refusal {
	if reason := refusesMethod(d.in.Method); reason != "" {
		return unservedMethod.Refuse(reason)
	}
	for _, name := range overrides {
		if d.in.Header[name] != nil {
			return overridingField.Refuse(name)
		}
	}
	return checkFields(d.in.Header)
}

// decisive are fields that say how a body is to be read.
var decisive = [...]string{"Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding"}

// checkFields refuses fields by which GitHub might read a body in another way
// than we do.
func checkFields(h http.Header) *answer.Refusal {
	for _, name := range decisive {
		if Nominated(h, name) { // it would not leave
			return nominatedField.Refuse(name)
		}
	}
	for name := range h {
		if meant := lookalike(name); meant != "" {
			return ambiguousField.Refuse(name, meant)
		}
	}
	return nil
}

// lookalike returns the field that a name with underscores can be taken for, if that
// field decides something; else "". CGI makes the same variable of both (RFC 3875,
// section 4.1.18).
func lookalike(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return ""
	}
	meant := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	if slices.Contains(decisive[:], meant) || slices.Contains(overrides[:], meant) {
		return meant
	}
	return ""
}

// Nominated reports whether Connection makes a field hop-by-hop.
func Nominated(h http.Header, name string) bool {
	for _, value := range h["Connection"] {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), name) {
				return true
			}
		}
	}
	return false
}
