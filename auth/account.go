package auth

import (
	"context"
	"fmt"
)

// AccountOf returns whose the installation of a credential is: what GitHub said
// within ten minutes, else what it says to the App. The error is an *Error, or
// ctx's.
func (s *Source) AccountOf(ctx context.Context, cred Credential) (Owner, error) {
	if cred.inst == nil {
		return Owner{}, fmt.Errorf("%v is no installation's", cred)
	}
	app := cred.inst.app
	f, err := s.ask(ctx, app, fmt.Sprintf("*%d", cred.inst.id), func(ctx context.Context) (found, error) { // no owner's key
		var answer struct {
			Account struct {
				Login string `json:"login"`
				Slug  string `json:"slug"` // of an enterprise, which has no login
			} `json:"account"`
		}
		c := apiCall{
			app: app, method: "GET", path: fmt.Sprintf("/app/installations/%d", cred.inst.id),
			action: fmt.Sprintf("find whose installation %d is", cred.inst.id),
		}
		if err := s.do(ctx, c, &answer); err != nil {
			return found{}, err
		}
		account := Owner{Login: answer.Account.Login}
		if account.Login == "" {
			account = Owner{Login: answer.Account.Slug, Enterprise: true}
		}
		if !account.plausible() {
			return found{}, c.fail(errNoName)
		}
		return found{inst: cred.inst, named: account}, nil
	})
	return f.named, err
}
