// Program httpcache asks by go-github, with gregjones/httpcache in between, for the same three times, as the story
// of package cache tells, and waits in between for as long as its argument says: what it prints is the status and whether it came of the program's own cache.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/google/go-github/v88/github"
	"github.com/gregjones/httpcache"
)

// revalidating has httpcache ask whether what it has is still good.
type revalidating struct{ http.RoundTripper }

func (r revalidating) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Cache-Control", "max-age=0")
	resp, err := r.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // httpcache keeps what is read to its end, which go-github does not always do
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func main() {
	pause, err := time.ParseDuration(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client, err := github.NewClient(github.WithTransport(revalidating{httpcache.NewMemoryCacheTransport()}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range 3 {
		repository, resp, err := client.Repositories.Get(context.Background(), "acme", "rockets")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(repository.GetFullName(), resp.StatusCode, resp.Header.Get(httpcache.XFromCache))
		time.Sleep(pause)
	}
}
