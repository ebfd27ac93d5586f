package githubtest

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The answers to a refused JWT, as reported by people who received them:
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app,
// https://github.com/octokit/auth-app.js/blob/main/src/hook.ts,
// https://github.com/octokit/auth-app.js/issues/375.
const (
	msgJWTDecode     = "A JSON web token could not be decoded"
	msgJWTExpTooFar  = "'Expiration time' claim ('exp') is too far in the future"
	msgJWTExp        = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	msgJWTIat        = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	msgJWTIssuer     = "'Issuer' claim ('iss') must be an Integer"
	msgJWTNoIssuer   = "Missing 'issuer' claim ('iss') in assertion"
	msgNoIntegration = "Integration not found"
)

const (
	// jwtMaxLifetime is how far in the future exp may be: "The time must be no more
	// than 10 minutes into the future", generating-a-json-web-token-jwt-for-a-github-app.
	jwtMaxLifetime = 10 * time.Minute

	// jwtLeeway is how far in the future iat may be. GitHub does not publish its
	// own tolerance, and advises to set iat 60 seconds in the past.
	jwtLeeway = 5 * time.Second
)

// jwtError is a refused JWT.
type jwtError struct {
	status  int
	message string
}

func (e *jwtError) Error() string { return fmt.Sprintf("%d %s", e.status, e.message) }

func jwtRefused(message string) *jwtError {
	return &jwtError{http.StatusUnauthorized, message}
}

// looksLikeJWT matches three base64url parts, the first a JSON object.
var looksLikeJWT = regexp.MustCompile(`^eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$`)

// clientID matches the client ids of GitHub Apps, the only text allowed as iss.
var clientID = regexp.MustCompile(`^Iv[0-9]+(\.|li)[0-9A-Za-z]+$`)

// claims are the claims of a JWT as they were written.
type claims struct {
	Iss json.RawMessage `json:"iss"`
	Iat json.RawMessage `json:"iat"`
	Exp json.RawMessage `json:"exp"`
}

// verifyJWT returns the App that signed the JWT, as of now. s.mu is held.
func (s *Server) verifyJWT(jwt string, now time.Time) (*App, *jwtError) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, jwtRefused(msgJWTDecode)
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var cl claims
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &header) || !decodePart(parts[1], &cl) || header.Alg != "RS256" {
		return nil, jwtRefused(msgJWTDecode)
	}
	app, refused := s.issuer(cl.Iss)
	if refused != nil {
		return nil, refused
	}
	if !signedBy(app, parts[0]+"."+parts[1], sig) {
		return nil, jwtRefused(msgJWTDecode)
	}
	return app, cl.checkTimes(now)
}

func decodePart(part string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, v) == nil
}

// issuer finds the App that iss names: an App id, as a number or as text, or a
// client id.
func (s *Server) issuer(iss json.RawMessage) (*App, *jwtError) {
	if len(iss) == 0 || string(iss) == "null" {
		return nil, jwtRefused(msgJWTNoIssuer)
	}
	name := string(iss)
	var text string
	if json.Unmarshal(iss, &text) == nil {
		name = text
	}
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil && !clientID.MatchString(name) {
		return nil, jwtRefused(msgJWTIssuer)
	}
	for _, a := range s.world.apps {
		if err == nil && a.ID == id || err != nil && a.ClientID == name {
			return a, nil
		}
	}
	return nil, &jwtError{http.StatusNotFound, msgNoIntegration}
}

// signedBy reports whether sig is an RSASSA-PKCS1-v1_5 SHA-256 signature
// (RFC 7518, section 3.3) by one of the App's keys.
func signedBy(app *App, input string, sig []byte) bool {
	sum := sha256.Sum256([]byte(input))
	for _, key := range app.publicKeys() {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil {
			return true
		}
	}
	return false
}

func (c claims) checkTimes(now time.Time) *jwtError {
	unix := float64(now.UnixNano()) / 1e9
	exp, err := strconv.ParseFloat(string(c.Exp), 64)
	if err != nil || math.IsNaN(exp) || math.IsInf(exp, 0) || exp <= unix {
		return jwtRefused(msgJWTExp)
	}
	if exp > unix+jwtMaxLifetime.Seconds() {
		return jwtRefused(msgJWTExpTooFar)
	}
	if bytes.ContainsAny(c.Iat, ".eE") {
		return jwtRefused(msgJWTIat)
	}
	iat, err := strconv.ParseInt(string(c.Iat), 10, 64)
	if err != nil || float64(iat) > unix+jwtLeeway.Seconds() {
		return jwtRefused(msgJWTIat)
	}
	return nil
}
