package auth

import (
	"regexp"
	"strconv"
)

// identity is by what an App can be called in a JWT, and its page.
type identity struct {
	ID       int64  `json:"id"`
	ClientID string `json:"client_id"`
	Page     string `json:"html_url"`
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
