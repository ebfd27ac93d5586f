package h1

import (
	"net/textproto"
	"strings"
)

// Name is the name of a field.
type Name struct {
	Spelled  string // as it came
	Key      string // as http.Header has it
	isCommon bool   // neither is a part of a head
}

// Key is the name of a field as http.Header has it: textproto.CanonicalMIMEHeaderKey, which
// makes a new string of each name that it does not know, and it knows none of GitHub's.
func Key(name string) string { return nameOf(name).Key }

func nameOf(spelled string) Name {
	if name, ok := common[spelled]; ok {
		return name
	}
	return Name{Spelled: spelled, Key: textproto.CanonicalMIMEHeaderKey(spelled)}
}

// common has the names that GitHub and its clients send most: as they spell them, as HTTP/2 does, and as
// http.Header does.
var common = func() map[string]Name {
	known := make(map[string]Name)
	for _, name := range [...]string{
		"Accept", "Accept-Encoding", "Accept-Language", "Accept-Ranges", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Age", "Authorization",
		"Cache-Control", "Connection", "Content-Encoding", "Content-Language", "Content-Length", "Content-Security-Policy", "Content-Type", "Date", "Deprecation",
		"ETag", "Expires", "GitHub-Authentication-Token-Expiration", "Host", "If-Modified-Since", "If-None-Match", "Last-Modified", "Link", "Location",
		"Referrer-Policy", "Retry-After", "Server", "Strict-Transport-Security", "Sunset", "User-Agent", "Vary",
		"X-Accepted-GitHub-Permissions", "X-Accepted-OAuth-Scopes", "X-Content-Type-Options", "X-Frame-Options", "X-GitHub-Api-Version",
		"X-GitHub-Api-Version-Selected", "X-GitHub-Media-Type", "X-GitHub-OTP", "X-GitHub-Request-Id", "X-GitHub-SSO", "X-OAuth-Client-Id", "X-OAuth-Scopes",
		"X-Poll-Interval", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Resource", "X-RateLimit-Used", "X-Requested-With",
		"X-XSS-Protection",
	} {
		key := textproto.CanonicalMIMEHeaderKey(name)
		for _, spelled := range [...]string{name, strings.ToLower(name), key} {
			known[spelled] = Name{spelled, key, true}
		}
	}
	return known
}()
