// Package auth turns the private key of a GitHub App into the credential that a
// request needs: the App's JSON Web Token, or an installation token for an
// owner. Both are cached; whoever needs one that is being made waits for that
// one.
//
//	app := &auth.App{Name: "ci-bot", Host: "github.com", API: apiURL, ID: 12345, Key: key}
//	source := auth.New([]*auth.App{app}, auth.Options{})
//	defer source.Close()
//
//	cred, err := source.ForOwner(ctx, "github.com", auth.Owner{Login: "acme"}, true)
//	if err != nil {
//		return err // an *auth.Error or *auth.NotInstalledError: cause and remedy
//	}
//	req.Header["Authorization"] = cred.Bearer()
//
// # Whose installation
//
// An owner is answered by the first App, in the order given, that maps it;
// else by the first that GitHub says is installed there; else by the Fallback.
// An installation for selected repositories answers only for these, so that two
// Apps can share an account. A request that names no owner is answered by the
// first default installation; else by the only App, if it has only one installation.
//
// What GitHub says is remembered for ten minutes, that it knows nothing for
// one. Where it has forgotten an installation that it named, it is asked anew.
//
// # Limitations
//
// A token is used until a minute before the end that GitHub gave it, for a day
// at most; one that is revoked earlier is used until somebody calls Replace. The local clock is
// trusted: JWTs are dated back by a minute, and a clock that is further ahead
// is GitHub's to complain about. Failures are not remembered: while GitHub
// refuses to mint, it is asked again for every request that does not come
// while another one waits.
package auth
