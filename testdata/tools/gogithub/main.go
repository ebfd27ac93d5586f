// Command gogithub does with go-github what the story goes through: it reads a
// repository, all pages of its issues, and the message of a refusal.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/google/go-github/v88/github"
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	client, err := github.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	repo, _, err := client.Repositories.Get(ctx, "acme", "widgets")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(repo.GetFullName())
	issues := 0
	opts := &github.IssueListByRepoOptions{ListOptions: github.ListOptions{PerPage: 30}}
	for {
		page, resp, err := client.Issues.ListByRepo(ctx, "acme", "widgets", opts)
		if err != nil {
			log.Fatal(err)
		}
		issues += len(page)
		if resp.NextPage == 0 {
			break
		}
		opts.ListOptions.Page = resp.NextPage
	}
	fmt.Println(issues, "issues")
	if _, _, err := client.Organizations.Get(ctx, "umbrella"); err != nil {
		fmt.Println(err)
	}
}
