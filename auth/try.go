package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ghapp-proxy/panics"

	"github.com/golang-jwt/jwt/v5"
)

// TryKeys has every key of the App sign a JWT of long ago, all at the same time.
// The error names each that fails. GitHub is not asked.
func (a *App) TryKeys(ctx context.Context) error {
	input, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iat": 0, "exp": 60, "iss": a.issuer()}).SigningString()
	if err != nil {
		return err
	}
	failed := make([]error, len(a.Signers))
	var signing sync.WaitGroup
	for i, signer := range a.Signers {
		signing.Go(func() {
			defer panics.Catch(&failed[i])
			if _, err := signer.Sign(ctx, []byte(input)); err != nil {
				failed[i] = fmt.Errorf("app.%s cannot sign: %w", a.Name, err)
			}
		})
	}
	signing.Wait()
	return errors.Join(failed...)
}
