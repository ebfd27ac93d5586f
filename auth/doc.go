// Package auth turns the private key of a GitHub App into the credential that a
// request needs: the App's JSON Web Token, or an installation token for an
// owner. Both are cached; whoever needs one that is being made waits for that
// one.
//
//	app := &auth.App{Name: "ci-bot", Instance: "github.com", API: apiURL, ID: 12345, Signers: []auth.Signer{auth.NewKey(key)}}
//	source := auth.New([]*auth.App{app}, auth.Options{})
//	defer source.Close()
//
//	want := auth.Want{Owner: github.Account{Login: "acme"}, Read: true}
//	cred, err := source.Token(ctx, "github.com", want)
//	if err != nil {
//		return err // an *auth.Error or *auth.NotInstalledError: cause and remedy
//	}
//	resp, err := source.Send(transport, req, &auth.Outgoing{Instance: "github.com", Want: want, Credential: &cred, Scheme: auth.SchemeBearer})
//
// # Whose installation
//
// An owner is answered by the first App, in the order given, that maps it;
// else by the first that GitHub says is installed there; else by the Fallback.
// An installation for selected repositories answers only for these, so that two
// Apps can share an account. A request that names no owner is answered by the
// first default installation; else by the only App, if it has only one installation.
//
// Where several Apps map an owner, or several are found to be installed there,
// the first serves until a rate limit of its installation is used up but for a
// hundredth, or until GitHub refuses it for a reason of its own: a
// wrong key, a suspension, an installation that is gone, a limit on the App. Then
// the next serves, until the limit resets or GitHub accepts the first again. If
// none is left the first stays, and GitHub's own words reach the client. Who
// asks for one App, for an installation or for a narrowed token gets no other.
// Network errors and 5xx are no reason: an outage is everybody's.
//
// Where an App is installed is remembered for an hour after it was of use last, that
// GitHub knows nothing for a minute. Where it has forgotten an installation that it
// named, which a mint tells, it is asked anew; so it is where it refuses something
// ten minutes later. What is remembered is enough for 15,000 owners, and so are the
// tokens that are kept. Survey asks in advance.
//
// # When GitHub refuses or fails
//
// Network errors and 5xx are tried again, three times within ten seconds. What
// GitHub refuses with another status is remembered for ten seconds, or for as
// long as a rate limit lasts, up to a minute: it is asked the same once in that
// time, however many requests come, and all get its words. A look-up waits for
// a limit that ends within five seconds.
//
// What one client makes it ask at once is bounded by its Budget (WithBudget): who
// has used that up waits, and nobody else. An answer is read as far as GitHub's go,
// lists item by item.
//
// # Several keys
//
// An App's JWT is signed by the first of its Signers whose key GitHub accepts.
// Where GitHub does not know the key, the request is sent again with the next: once
// with each key. The first
// gets its turn again with the next JWT, after eight minutes at most, so that a
// key can be listed before GitHub knows it. When GitHub has refused all, they
// are tried in turn again after ten seconds. A Signer that fails is asked again
// after as long, if no other can stand in.
//
// # Sending
//
// Send sends a request with a credential, and again where GitHub refuses one that
// should be good: for fifteen seconds with the same token where that was just minted,
// else once with a new one. A repository that GitHub does not show to a new token is
// waited for, six seconds, if the installation covers it, which GitHub is asked
// first; a permission, if the token was minted with it. If the installation has
// been granted it since, or the repository has another owner, there is another
// token. From the answer it learns what later requests need. The Source's own calls
// go the same way.
//
// # Where tokens lie
//
// Tokens lie within the process. Where Options has something Shared, they lie there as well, sealed, and
// so does where Apps are installed, and what GitHub refused a moment ago: each question is asked once for all replicas. Where it
// cannot be reached, each goes on by itself. No token that is in the process is looked for there.
//
// # Limits
//
// A Want may have a Scope, which confines the token to repositories and
// permissions: GitHub is asked what the installation has, and mints for what both
// have in common. It is asked anew in the background: after five minutes, and for
// repositories a minute later for each hundred. A repository that is made since is
// noticed when a request names it, after ten seconds for each hundred that there
// are. Repositories that a Scope knows by name are not listed at all.
//
// # Another configuration
//
// Next gives a Source for other Apps that goes on with what this one knows of those
// that have not changed: requests under way keep the Source that they began with.
// What is an App's is filed under its id, so that another App that takes its name gets
// nothing of it.
//
// # Limitations
//
// A token is used until a minute before the end that GitHub gave it, for a day
// at most; one that is revoked earlier until Send meets that. A request renews
// it in the background once four fifths of that have passed, so that a token
// asked for more rarely lapses, and whoever comes then waits for another.
//
// Quotas are known from answers only: requests under way when one ends, and the
// first after a start, may still be refused. Secondary limits do not choose
// another App.
//
// GitHub's clock is known from the last answer that had a Date, to about two
// seconds: answers to the Source's own calls, and those that Send has.
// Where ours is more than a day off, GitHub is left to complain.
//
// While GitHub or the network fails, rather than refuses, every request that
// does not come while another one waits causes three attempts. An installation
// that was unsuspended, or granted something, is noticed after ten seconds; what
// it was granted within a Scope, after five minutes.
//
// Nothing is revoked but by Revoke. It does not know tokens that GitHub minted
// without our reading the answer, nor those of other processes; they expire.
//
// # Rooms
//
// The files stand in rooms, one above the other. What is in a file knows only what
// stands before it in this list: TestRooms checks it.
//
//	keys: what an App proves itself with, and GitHub's clock
//		secret.go mark.go signer.go key_text.go key.go contact.go clock.go kind.go claims.go
//		keyring.go sealer.go
//	names: whose something is, and what a token is good for
//		answer.go grant.go
//	calls: GitHub's API is asked, each question once, and counted
//		cache.go budget.go flights.go sweep.go lookups.go errors.go quota.go retry.go
//		counts.go app.go send.go way.go shared.go vault.go caller.go authority.go held.go api.go sharedrefusal.go
//	tokens: minted, renewed, replaced, and filed, here and for other replicas
//		mintanswer.go token.go memory.go minter.go quotashared.go useshared.go tokens.go mintshared.go mint.go
//	directory: where an App is installed, and on what
//		identity.go directory.go identify.go findshared.go discover.go facts.go byid.go mapping.go
//		coverage.go
//	choice: which App, which installation, and how much of it
//		fallback.go scope.go want.go credential.go confiner.go scope_names.go confine.go
//		source.go shareuse.go answers.go seal.go issuer.go revoke.go next.go whose.go uncovered.go resolve.go
//		failover.go choose.go replace.go outgoing.go installed.go learn.go
//		forward.go client.go plan.go stats.go
//		refusals.go inspect.go
package auth
