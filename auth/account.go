package auth

import (
	"context"
	"fmt"
)

// AccountOf returns whose the installation of a credential is: what GitHub said
// within five minutes, else what it says to the App. The error is an *Error, or
// ctx's.
func (s *Source) AccountOf(ctx context.Context, cred Credential) (Owner, error) {
	if cred.inst == nil {
		return Owner{}, fmt.Errorf("%v is no installation's", cred)
	}
	f, err := s.factsOf(ctx, cred.inst)
	if err != nil {
		return Owner{}, err
	}
	return f.account, nil
}
