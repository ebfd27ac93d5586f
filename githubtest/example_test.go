package githubtest_test

import (
	"fmt"
	"log"
	"net/http"
	"strings"

	"ghapp-proxy/githubtest"
)

func Example() {
	gh, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer gh.Close()
	token, err := gh.MintToken(githubtest.AcmeInstallation)
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest("GET", "https://api.github.com/repos/acme/widgets", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := gh.Client().Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	for _, r := range gh.Requests() {
		fmt.Println(r)
	}
	// Output:
	// 200 OK
	// GET https://api.github.com/repos/acme/widgets [installation 111] 200
}

// A program that tries again is tested with a GitHub that fails once.
func ExampleServer_Inject() {
	gh, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer gh.Close()
	gh.Inject(githubtest.Fault{Match: githubtest.OnPath("/meta"), Count: 1, Do: githubtest.ServerError(502)})
	for range 2 {
		resp, err := gh.Client().Get("https://api.github.com/meta")
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 502 Bad Gateway
	// 200 OK
}

// What a program writes must have no secret of GitHub's in it.
func ExampleServer_Leaks() {
	gh, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer gh.Close()
	token, err := gh.MintToken(githubtest.AcmeInstallation)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(gh.Leaks([]byte("GET /repos/acme/widgets 200"))))
	fmt.Println(len(gh.Leaks([]byte("Authorization: token " + token))))
	fmt.Println(strings.Contains(token, githubtest.Canary))
	// Output:
	// 0
	// 1
	// true
}
