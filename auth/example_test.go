package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/url"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

func Example() {
	fake, err := githubtest.Demo(githubtest.Options{}) // a fake with the App ci-bot, installed on acme
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()

	key, err := auth.ParseKey(fake.App("ci-bot").PrivateKeyPEM())
	if err != nil {
		log.Fatal(err)
	}
	app := &auth.App{
		Name: "ci-bot", Instance: "github.com", API: &url.URL{Scheme: "https", Host: "api.github.com"},
		ID: githubtest.CIBotID, Signers: []auth.Signer{auth.NewKey(key)},
	}
	source := auth.New([]*auth.App{app}, auth.Options{Transport: fake.Transport(), Fallback: auth.FallbackAnonymous})
	defer source.Close()

	for _, owner := range []github.Account{{Login: "acme", Repo: "widgets"}, {Login: "octocat"}} {
		cred, err := source.ForOwner(context.Background(), "github.com", owner, true)
		fmt.Println(owner, "→", cred, err)
	}
	var missing *auth.NotInstalledError
	if _, err := source.ForOwner(context.Background(), "github.com", github.Account{Login: "octocat"}, false); errors.As(err, &missing) {
		fmt.Println(missing)
		fmt.Println(missing.Remedy())
	}
	// Output:
	// acme/widgets → installation 111 of App ci-bot <nil>
	// octocat → none <nil>
	// no installation on github.com covers octocat (tried: ci-bot)
	// install the App on octocat, which is noticed within a minute, or map the owner under [app.NAME.installations]
}

// A program that speaks to GitHub itself takes a client: it mints when a token
// is needed, and renews it.
func ExampleSource_Client() {
	fake, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()
	key, err := auth.ParseKey(fake.App("ci-bot").PrivateKeyPEM())
	if err != nil {
		log.Fatal(err)
	}

	app := &auth.App{
		Name: "ci-bot", Instance: "github.com", API: &url.URL{Scheme: "https", Host: "api.github.com"},
		ID: githubtest.CIBotID, Signers: []auth.Signer{auth.NewKey(key)},
	}
	source := auth.New([]*auth.App{app}, auth.Options{Transport: fake.Transport()})
	defer source.Close()
	resp, err := source.Client("github.com", github.Account{Login: "acme"}).Get("https://api.github.com/repos/acme/widgets")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}
