// Program limits asks by go-github until it is answered, and waits in between for as long as that says, as the story of its name tells: it
// prints what go-github takes the refusals for.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/go-github/v88/github"
)

func main() {
	client, err := github.NewClient()
	for err == nil {
		var repository *github.Repository
		repository, _, err = client.Repositories.Get(context.Background(), "acme", "rockets")
		if err == nil {
			fmt.Println(repository.GetFullName())
			return
		}
		err = wait(err)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// wait waits until a limit is over.
func wait(err error) error {
	var primary *github.RateLimitError
	var secondary *github.AbuseRateLimitError
	switch {
	case errors.As(err, &primary):
		fmt.Println("primary", primary.Rate.Remaining, "of", primary.Rate.Limit)
		time.Sleep(time.Until(primary.Rate.Reset.Time))
	case errors.As(err, &secondary) && secondary.RetryAfter != nil:
		fmt.Println("secondary")
		time.Sleep(*secondary.RetryAfter)
	default:
		return err
	}
	return nil
}
