package githubtest

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// levels orders the levels of a permission.
var levels = map[string]int{"": 0, "none": 0, "read": 1, "write": 2, "admin": 3}

// credential is what a request showed, and what it turned out to be. Nothing is
// verified yet but that a token is one of ours.
type credential struct {
	kind   CredentialKind
	scheme string // lower case: bearer, token, basic
	secret string // what came with the scheme; of Basic the password
	app    *App   // of a client id, or the App that a JWT names
	token  *token
}

// identify sorts the credential in h. s.mu is held.
func (s *Server) identify(h http.Header) credential {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return credential{kind: CredentialNone}
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	c := credential{kind: CredentialUnknown, scheme: strings.ToLower(scheme), secret: strings.TrimSpace(secret)}
	if len(values) > 1 {
		return c // RFC 9110, section 5.3: not a list, so it must not repeat
	}
	switch c.scheme {
	case "basic":
		s.identifyBasic(&c)
	case "bearer", "token":
		if t := s.tokens.byValue[c.secret]; t != nil {
			c.kind, c.token = CredentialInstallation, t
		} else if looksLikeJWT.MatchString(c.secret) {
			c.kind = CredentialJWT
			c.app, _ = s.verifyJWT(c.secret, s.clock())
		}
	}
	return c
}

func (s *Server) identifyBasic(c *credential) {
	b, err := base64.StdEncoding.DecodeString(c.secret)
	user, password, ok := strings.Cut(string(b), ":")
	if err != nil || !ok {
		return
	}
	c.secret = password
	if t := s.tokens.byValue[password]; t != nil && user == "x-access-token" {
		c.kind, c.token = CredentialBasicToken, t
		return
	}
	for _, a := range s.world.apps {
		if a.ClientID == user {
			c.kind, c.app = CredentialBasicClient, a
		}
	}
}

// valid reports whether the token is good for anything now. s.mu is held.
//
// GitHub says that an installation is suspended only when minting; tokens
// minted before are refused like unknown ones.
func (s *Server) valid(t *token) bool {
	in := s.world.installations[t.installation]
	return in != nil && in.SuspendedAt.IsZero() && !t.revoked && s.clock().Before(t.expires)
}

// access is what a valid credential may do; the zero value is anonymous.
type access struct {
	s     *Server
	token *token
}

// canSee reports whether the repository exists for this credential.
func (a access) canSee(r *repository) bool {
	return !r.private || a.token != nil && a.s.inScope(a.token, r)
}

// allows reports whether the credential has one of the alternatives of accepts,
// in the notation of X-Accepted-GitHub-Permissions: "," is and, ";" is or.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible
func (a access) allows(r *repository, accepts string) bool {
	if a.token == nil || r != nil && !a.s.inScope(a.token, r) {
		return false
	}
	have := a.s.effective(a.token)
	for alternative := range strings.SplitSeq(accepts, ";") {
		if hasAll(have, alternative) {
			return true
		}
	}
	return false
}

func hasAll(have map[string]string, needs string) bool {
	for need := range strings.SplitSeq(needs, ",") {
		name, level, _ := strings.Cut(strings.TrimSpace(need), "=")
		if name == "metadata" && level == "read" {
			continue // comes with every token
		}
		if levels[have[name]] < levels[level] {
			return false
		}
	}
	return true
}
