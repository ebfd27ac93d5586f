package githubtest_test

import (
	"fmt"
	"log"
	"net/http"

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
