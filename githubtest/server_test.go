package githubtest

import (
	"errors"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestClose wants no goroutine and no file to outlive Close, stalled requests included.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := Demo(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(Fault{Do: Stall(0)})
	var wg sync.WaitGroup
	for _, client := range clients(t, s) {
		req := request(t, s, "POST", widgetsURL+"/issues", strings.NewReader("{}"))
		wg.Go(func() {
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
				t.Errorf("stalled request answered %d", resp.StatusCode)
			}
		})
	}
	for len(s.Requests()) < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	wg.Wait()
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory outlives Close: %v", err)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
}

// TestConcurrency gives the race detector something to look at.
func TestConcurrency(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + jwt(t, s.App("ci-bot"))
	client := s.Client()
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				req, _ := http.NewRequest("POST", mintURL(AcmeInstallation), nil)
				req.Header.Set("Authorization", auth)
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				a := readAnswer(t, resp)
				if a.status != 201 {
					t.Errorf("mint = %d %s", a.status, a.body)
					return
				}
				tok := a.json["token"].(string)
				do(t, s, "POST", widgetsURL+"/issues", "token "+tok, `{"title":"x"}`)
				do(t, s, "GET", widgetsURL+"/pulls", "token "+tok, "")
				s.Requests()
				s.Leaks([]byte(tok))
				s.Inject(Fault{Match: OnInstallation(1), Do: ServerError(500)})()
				if i == 0 {
					s.Suspend(GlobexInstallation)
					s.Unsuspend(GlobexInstallation)
				}
			}
		})
	}
	wg.Wait()
	if got := s.Mints(); got != 40 {
		t.Errorf("Mints() = %d, want 40", got)
	}
}

func TestHosts(t *testing.T) {
	s := Start(t, Options{Instances: []string{"ghe.example.com", "octo.ghe.com"}})
	got := s.Hosts()
	for _, want := range []string{
		"api.github.com", "uploads.github.com", "github.com", "raw.githubusercontent.com", "codeload.github.com",
		"objects.githubusercontent.com", "ghe.example.com", "octo.ghe.com", "api.octo.ghe.com", "uploads.octo.ghe.com",
	} {
		if !slices.Contains(got, want) || s.ConnectTo()[want+":443"] != s.Addr() {
			t.Errorf("Hosts() = %q, want %q among them", got, want)
		}
	}
	req := request(t, s, "GET", "https://api.github.com/", nil)
	req.Host = "evil.example.com"
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, resp); a.status != 421 {
		t.Errorf("foreign Host = %d, want 421", a.status)
	}
}

func TestMaxRequests(t *testing.T) {
	s := Start(t, Options{MaxRequests: 2})
	for _, path := range []string{"/", "/meta", "/rate_limit"} {
		do(t, s, "GET", "https://api.github.com"+path, "", "")
	}
	if got := s.Requests(); len(got) != 2 || got[0].Path() != "/meta" {
		t.Errorf("Requests() = %v, want the last two", got)
	}
	s.Reset()
	if got := s.Requests(); len(got) != 0 {
		t.Errorf("after Reset: %v", got)
	}
}

func TestRenameAccount(t *testing.T) {
	s := Start(t, Options{})
	auth := "token " + mintToken(t, s, AcmeInstallation)
	if err := s.RenameAccount("acme", "ajax"); err != nil {
		t.Fatal(err)
	}
	for repo, want := range map[string]int{"ajax/widgets": 200, "acme/widgets": 301} {
		if got := repoStatus(t, s, auth, repo); got != want {
			t.Errorf("GET %s = %d, want %d", repo, got, want)
		}
	}
	if in, ok := s.Installation(CIBotID, "ajax"); !ok || in.ID != AcmeInstallation || in.Account != "ajax" {
		t.Errorf("Installation = %+v, %v", in, ok)
	}
}

func TestSelectedRepositories(t *testing.T) {
	s := Start(t, Options{})
	s.Select(AcmeInstallation, RocketsID)
	auth := "token " + mintToken(t, s, AcmeInstallation)
	for repo, want := range map[string]int{"acme/rockets": 200, "acme/widgets": 404} {
		if got := repoStatus(t, s, auth, repo); got != want {
			t.Errorf("GET %s = %d, want %d", repo, got, want)
		}
		a := do(t, s, "GET", "https://api.github.com/repos/"+repo+"/installation", "Bearer "+jwt(t, s.App("ci-bot")), "")
		if a.status != want {
			t.Errorf("GET %s/installation = %d, want %d", repo, a.status, want)
		}
	}
	a := do(t, s, "GET", "https://api.github.com/installation/repositories", auth, "")
	if a.json["total_count"] != 1.0 || a.json["repository_selection"] != "selected" {
		t.Errorf("repositories of the installation: %s", a.body)
	}
}

func TestTempCloneToken(t *testing.T) {
	s := Start(t, Options{TempCloneTokens: true})
	a := do(t, s, "GET", widgetsURL, "token "+mintToken(t, s, AcmeInstallation), "")
	if tok, _ := a.json["temp_clone_token"].(string); len(s.Leaks([]byte(a.body))) != 1 || !strings.Contains(tok, Canary) {
		t.Errorf("temp_clone_token = %q, want a secret", tok)
	}
}
