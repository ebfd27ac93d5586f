package auth

import (
	"regexp"
	"strings"
	"time"
)

// maxTokenSize bounds one token, in bytes. GitHub's have 40 or about 520 characters.
const maxTokenSize = 8 << 10

// tokenPattern is what may be put into a header: both formats that GitHub
// mints (ghs_ and 36 characters, ghs_APPID_JWT), and whatever they become.
// It is the token68 of RFC 9110, section 11.2, and the underscore it lacks.
var tokenPattern = regexp.MustCompile(`^[0-9A-Za-z._~+/-]+=*$`)

func isToken(text string) bool { return len(text) <= maxTokenSize && tokenPattern.MatchString(text) }

// mintAnswer is GitHub's answer to a mint.
type mintAnswer struct {
	token   string
	expires time.Time
	grantAnswer
}

// read implements listed.
func (a *mintAnswer) read(in *items) error {
	*a = mintAnswer{} // not of an attempt before
	return in.fields(func(name string) error {
		switch name {
		case "token":
			return in.next(&a.token)
		case "expires_at":
			return a.readExpiry(in)
		default:
			return a.grantAnswer.read(in, name)
		}
	})
}

// dateForms are those of ISO 8601, beside RFC 3339's, in which an instance might
// say when a token ends. All of them may have fractions of seconds.
var dateForms = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST"}

// readExpiry reads when the token ends.
func (a *mintAnswer) readExpiry(in *items) error {
	var text string
	if err := in.next(&text); err != nil || text == "" {
		return err
	}
	for _, form := range dateForms {
		expires, err := time.Parse(form, strings.ToUpper(text)) // RFC 3339, section 5.6: t and z are as good
		if err == nil && (form != "2006-01-02 15:04:05 MST" || expires.Location() == time.UTC) {
			a.expires = expires
			return nil
		}
	}
	return errNotJSON
}
