package auth

import (
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// GitHub accepts a JWT whose exp is at most ten minutes ahead of its own clock
// and whose iat is not in the future; docs.github.com "Generating a JSON Web
// Token (JWT) for a GitHub App" recommends to date iat 60 seconds back.
const (
	jwtBackdate = 60 * time.Second
	jwtLifetime = 9 * time.Minute // from now; the rest is for a clock ahead of GitHub's
	jwtReserve  = time.Minute     // a JWT is renewed when it has less than this left
)

// signer makes and keeps one App's JWT. It is safe for concurrent use.
type signer struct {
	app   *App
	clock *clock

	mu          sync.Mutex
	current     *header       // nil before the first
	made, until time.Time     // by GitHub's clock
	skew        time.Duration // of the clock when it was made
}

// jwt returns the App's JWT, signing a new one if the last is about to expire,
// or if the clock was set back or found to be wrong since.
func (s *signer) jwt() (*header, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, skew := s.clock.now(), s.clock.skew()
	if s.current != nil && !now.Before(s.made) && now.Before(s.until) && (skew-s.skew).Abs() <= jwtSkew {
		return s.current, nil
	}
	// GitHub wants whole seconds; a map keeps aud, nbf and the like out.
	claims := jwt.MapClaims{
		"iat": now.Add(-jwtBackdate).Unix(),
		"exp": now.Add(jwtLifetime).Unix(),
		"iss": s.app.issuer(),
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(s.app.Key)
	if err != nil {
		return nil, fmt.Errorf("sign a JWT for App %s: %w", s.app.Name, err)
	}
	s.current = newJWTHeader(signed)
	s.made, s.until, s.skew = now, now.Add(jwtLifetime-jwtReserve), skew
	return s.current, nil
}
