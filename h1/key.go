package h1

import (
	"net/textproto"
	"strings"
)

// Key is the name of a field as http.Header has it: textproto.CanonicalMIMEHeaderKey, which
// makes a new string of each name that it does not know, and it knows none of GitHub's.
func Key(name string) string {
	if key, ok := keys[name]; ok {
		return key
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// keys has the names that GitHub and its clients send most: as they spell them, as HTTP/2 does, and as
// http.Header does.
var keys = func() map[string]string {
	known := make(map[string]string)
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
		known[name], known[strings.ToLower(name)], known[key] = key, key, key
	}
	return known
}()
