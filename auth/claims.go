package auth

import (
	"encoding/base64"
	"encoding/json"
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
