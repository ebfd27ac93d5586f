package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"ghapp-proxy/github"
	"ghapp-proxy/panics"

	"github.com/golang-jwt/jwt/v5"
)

// App is one GitHub App on one GitHub instance. Fill it in, then hand it to
// New; it must not be changed afterwards. It prints as its name alone.
type App struct {
	Name     string          // how the configuration and errors call it; unique
	Instance github.Instance // where it is registered, as github.ParseInstance returns it
	API      *url.URL        // base URL of the instance's REST API, without a trailing slash
	ID       int64           // the App id; 0 if only the client id is known
	ClientID string          // the client id; "" if only the App id is known

	// Signers have its private keys, the newest first: the first whose key
	// GitHub accepts is used.
	Signers      []Signer `json:"-"`
	ClientSecret Secret   // "" if not configured

	// Installations maps an owner's login, in lower case, to its installation.
	Installations map[string]github.InstallationID
	// Enterprises maps an enterprise's slug, in lower case, to its installation.
	Enterprises map[string]github.InstallationID
	// DefaultInstallation serves requests that name no owner, and owners
	// without an installation where the fallback says so. 0 if there is none.
	DefaultInstallation github.InstallationID
	// NoDiscovery turns off asking GitHub where the App is installed.
	NoDiscovery bool
}

// identifier is which App it is, whatever it is called here, with which keys.
func (a *App) identifier() string { return fmt.Sprintf("%s|%d|%s", a.Instance, a.ID, a.ClientID) }

// Equal reports whether two are configured in the same way. Signers that cannot be
// compared are different ones.
func (a *App) Equal(b *App) bool {
	return a.Name == b.Name && a.identifier() == b.identifier() && a.API.String() == b.API.String() &&
		slices.EqualFunc(a.Signers, b.Signers, sameSigner) && a.ClientSecret == b.ClientSecret &&
		maps.Equal(a.Installations, b.Installations) && maps.Equal(a.Enterprises, b.Enterprises) &&
		a.DefaultInstallation == b.DefaultInstallation && a.NoDiscovery == b.NoDiscovery
}

// sameSigner reports whether two Signers have the same key and come by it in the same
// way, as far as they say.
func sameSigner(a, b Signer) bool {
	if key, ok := a.(*Key); ok {
		other, ok := b.(*Key)
		return ok && key.Equal(other)
	}
	told, ok := a.(interface{ Equal(Signer) bool })
	return ok && told.Equal(b)
}

// issuer is the iss claim of the App's JWTs. GitHub recommends the client id;
// GHES before 3.14 knows only the App id, so that is taken where it is given.
func (a *App) issuer() string {
	if a.ID != 0 {
		return strconv.FormatInt(a.ID, 10)
	}
	return a.ClientID
}

// Format implements fmt.Formatter with the name, whatever the verb: for a verb
// that does not fit a field, %s for one, fmt would print what Signers point to.
func (a App) Format(f fmt.State, _ rune) { io.WriteString(f, a.Name) }

// LogValue implements slog.LogValuer with the name.
func (a App) LogValue() slog.Value { return slog.StringValue(a.Name) }

// oldServer says what else it can be that an instance does not know the App: GHES
// takes client ids since 3.14.
func (a *App) oldServer() string {
	if a.ID != 0 || a.Instance == github.GitHubCom {
		return ""
	}
	return "; GitHub Enterprise Server before 3.14 does not take a client id: set id, the App's number, for App " + a.Name
}

// keyRemedy says what to do where GitHub accepts no key.
func (a *App) keyRemedy() string {
	which := "the private key belongs"
	if n := len(a.Signers); n > 1 {
		which = fmt.Sprintf("one of the %d private keys belongs", n)
	}
	return "check that " + which + " to the App, whose page shows the fingerprints that `ghapp-proxy check` prints, and that id or client_id is the App's" + a.oldServer()
}

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
