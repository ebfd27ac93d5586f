// Package githubtest is a fake GitHub on real TLS, for tests of programs that
// talk to GitHub as a GitHub App, and for demonstrations without a network.
//
// It serves api.github.com, uploads.github.com, github.com (git and LFS),
// raw.githubusercontent.com, codeload.github.com and the hosts of signed URLs on one
// port of loopback, over HTTP/1.1 and HTTP/2; GitHub Enterprise Server and ghe.com
// on request. It has a state that writes change, verifies the JWTs of
// Apps by itself, mints installation tokens and enforces their scope, permissions and
// expiry, records everything it receives, and misbehaves on command.
//
//	func TestProxy(t *testing.T) {
//		gh := githubtest.Start(t, githubtest.Options{})
//		bot := gh.App("ci-bot") // installed on acme
//		p := newProxy(bot.ID, bot.PrivateKeyPEM(), gh.CAPEM(), gh.ConnectTo())
//		defer gh.Inject(githubtest.Fault{Match: githubtest.OnMint(), Count: 1, Do: githubtest.ServerError(502)})()
//		p.get(t, "https://api.github.com/repos/acme/widgets")
//		for _, r := range gh.Requests() {
//			t.Log(r) // GET https://api.github.com/repos/acme/widgets [installation 111] 200
//		}
//		if leaked := gh.Leaks(p.logs()); len(leaked) > 0 {
//			t.Errorf("%d secrets in the log", len(leaked))
//		}
//	}
//
// See Seed for the world that Start and Demo create, Fault for misbehaviour, and
// Handle to answer a path in some other way. Answers of the REST API are validated
// against GitHub's OpenAPI description by the package's tests. git is served by git
// http-backend: where git is not installed, repositories exist, but are empty.
//
// # Limitations
//
//   - Only the operations in testdata/operations.txt exist. Anything else is 404.
//   - There are no users' tokens: GitHub has operations that only those reach,
//     which answer 403 here as there, and OAuth flows, which are missing.
//   - GraphQL is resolved without a schema: an unknown field is null, arguments are
//     not validated, points are not counted, and there is no more introspection than
//     gh's feature detection needs. Mutations are those of gh issue and gh pr create.
//   - All instances share one world, and signed URLs lead to the hosts of github.com.
//     Enterprise Server has rate limits switched on, unlike a fresh one. The raw and
//     codeload hosts of ghe.com are guesses, and so are the paths of LFS objects on
//     an Enterprise Server.
//   - Bearer is not accepted for raw files and archives, because people report so;
//     GitHub does not document it. git wants the user name x-access-token, where
//     GitHub accepts others. Release assets have no download URL on github.com.
//   - Rate limits count only API requests, do not grow with the number of
//     repositories, and refuse nobody without a token. Secondary limits, the lockout after
//     repeated bad logins and the replication delay exist only as faults.
//   - Guesses: the tolerance for iat, the order in which a JWT's defects are
//     reported, the wording of a 422 for repositories at mint, the status of an asset
//     upload without Content-Length, and that tokens of a suspended installation are
//     refused with 401.
//   - Commits of pull requests are not counted, reviews and checks do not exist, and
//     nothing can be merged.
//   - A content stored by LFS or as an asset is known to all repositories by its checksum.
//   - No webhooks, no pages, no Actions beyond runner registration tokens and reading
//     the one run, which has ended, that acme/widgets has.
package githubtest

//go:generate go run gen/main.go
