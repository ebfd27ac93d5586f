package proxy_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"ghapp-proxy/githubtest"
)

// repositoryText is what GitHub answers about a repository, with the credential
// that is in it and without.
func repositoryText(token string) string {
	return `{"id":1, "name":"widgets","temp_clone_token" : "` + token + `", "private":true, "head":{"repo":{"temp_clone_token":"` + token + `"}}}`
}

// TestCloneTokensOfClients: a client with limits does not get the credentials
// that are in GitHub's answers; one without gets the answers as they are.
func TestCloneTokensOfClients(t *testing.T) {
	const token = "AB3XYZ" + githubtest.Canary
	w := start(t, func(s *setup) {
		limited := withSecret()
		limited.Repositories = repositories(t, "acme/widgets")
		s.options.Clients, s.options.Anonymous = clients(t, limited), true
	})
	var sent http.Header
	handler := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = r.Header
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.Header().Set("ETag", `"abc"`)
			if r.Header.Get("If-None-Match") == `"abc"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			w.Write([]byte(text)) // nothing of it for HEAD
		})
	}
	for url, wrap := range map[string]string{
		"/repos/acme/widgets":                                 "%",
		"/repos/acme/widgets/pulls":                           "[%,%]",
		"/repos/acme/widgets/pulls/1":                         `{"base":{"repo":%},"head":{"repo":%}}`,
		"/search/code?q=x+repo:acme/widgets":                  `{"total_count":1,"items":[{"repository":%}]}`,
		"/search/repositories?q=repo:acme/widgets":            `{"total_count":1,"items":[%]}`,
		"/repos/acme/widgets/forks?sort=newest":               "[%]",
		"/repos/acme/widgets/something-new-that-nobody-knows": "%",
	} {
		text := strings.ReplaceAll(wrap, "%", repositoryText(token))
		path, _, _ := strings.Cut(url, "?")
		w.github.Handle("api.github.com", path, handler(text))
		for _, h2 := range []bool{false, true} {
			limited, free := w.clientAs(t, "agent", agentSecret, h2), w.client(t, h2)
			for _, encoding := range []string{"", "gzip"} {
				request := func(client *http.Client, method, noneMatch string) (*http.Response, string) {
					t.Helper()
					req, err := http.NewRequest(method, "https://api.github.com"+url, nil)
					if err != nil {
						t.Fatal(err)
					}
					for name, value := range map[string]string{"Accept-Encoding": encoding, "If-None-Match": noneMatch} {
						if value != "" {
							req.Header.Set(name, value)
						}
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					return resp, bodyOf(t, resp)
				}

				resp, got := request(limited, "GET", "")
				if want := strings.ReplaceAll(wrap, "%", repositoryText("")); resp.StatusCode != 200 || got != want || !json.Valid([]byte(got)) {
					t.Errorf("GET %s: %s\n got %s\nwant %s", url, resp.Status, got, want)
				}
				if resp.Header.Get("ETag") != "" || resp.Header.Get("Content-Length") != strconv.Itoa(len(got)) || resp.Header.Get("Content-Encoding") != "" {
					t.Errorf("GET %s: the head is of the text that GitHub sent: %v", url, resp.Header)
				}
				if got := sent.Get("Accept-Encoding"); got != "identity" {
					t.Errorf("GET %s: GitHub was asked for %q, want identity", url, got)
				}
				if resp, got := request(limited, "GET", `"abc"`); resp.StatusCode != 200 || strings.Contains(got, token) {
					t.Errorf("GET %s, If-None-Match: %s %s; want the filtered text", url, resp.Status, got)
				}
				if resp, _ := request(limited, "HEAD", ""); resp.StatusCode != 200 || resp.ContentLength != int64(len(text)) {
					t.Errorf("HEAD %s: %s, Content-Length %d", url, resp.Status, resp.ContentLength)
				}

				resp, got = request(free, "GET", "")
				if resp.StatusCode != 200 || got != text || resp.ContentLength != int64(len(text)) || resp.Header.Get("ETag") != `"abc"` || sent.Get("Accept-Encoding") != encoding {
					t.Errorf("GET %s without limits: %s %v %s, asked for %q; want GitHub's own answer", url, resp.Status, resp.Header, got, sent.Get("Accept-Encoding"))
				}
				if resp, _ := request(free, "GET", `"abc"`); resp.StatusCode != 304 {
					t.Errorf("GET %s without limits, If-None-Match: %s", url, resp.Status)
				}
			}
		}
	}
}

// TestCloneTokenAnswersWithoutBody: what has no body to filter passes, and what
// cannot be filtered does not.
func TestCloneTokenAnswersWithoutBody(t *testing.T) {
	w := start(t, func(s *setup) {
		limited := withSecret()
		limited.Repositories = repositories(t, "acme/widgets")
		s.options.Clients = clients(t, limited)
	})
	var status int
	w.github.Handle("api.github.com", "/repos/acme/widgets", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br") // although it was asked for none
		w.WriteHeader(status)
		if status == 200 {
			w.Write([]byte("compressed"))
		}
	}))
	for answered, want := range map[int]int{204: 204, 304: 304, 200: 502} {
		status = answered
		for _, h2 := range []bool{false, true} {
			if got, text := get(t, w.clientAs(t, "agent", agentSecret, h2), "https://api.github.com/repos/acme/widgets"); got != want {
				t.Errorf("%d of GitHub: %d %s, want %d", answered, got, text, want)
			}
		}
	}
}

// TestCloneTokenOfFake: what the fake GitHub puts into its answers is known to
// it as a secret, and none of it is left.
func TestCloneTokenOfFake(t *testing.T) {
	github := githubtest.Start(t, githubtest.Options{TempCloneTokens: true})
	w := startBefore(t, github, "127.0.0.1:0", func(s *setup) {
		limited := withSecret()
		limited.ReadOnly = true
		s.options.Clients, s.options.Anonymous = clients(t, limited), true
	})
	for _, test := range []struct {
		client *http.Client
		leaks  bool
	}{{w.clientAs(t, "agent", agentSecret, true), false}, {w.client(t, true), true}} {
		status, text := get(t, test.client, "https://api.github.com/repos/acme/rockets")
		if leaks := len(github.Leaks([]byte(text))) > 0; status != 200 || leaks != test.leaks {
			t.Errorf("%d, a clone token is in it: %v, want %v: %s", status, leaks, test.leaks, text)
		}
	}
}
