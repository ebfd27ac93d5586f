package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// page is an answer that lists repositories, each with so many bytes of whatever
// else GitHub says about one.
func page(repositories, each int) string {
	items := make([]string, repositories)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":%d,"x":[{"y":%q}],"full_name":"acme/r%d"}`, i+1, strings.Repeat("x", each), i+1)
	}
	return fmt.Sprintf(`{"total_count":%d,"repositories":[%s]}`, repositories, strings.Join(items, ","))
}

// What an instance lists is bounded as a whole, by its items and by their number,
// each by what GitHub sends.
func TestListBounds(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want string // of the error, "" for none
	}{
		"a page of GitHub's":   {page(99, 10<<10), ""},
		"null":                 {`{"repositories":null}`, "none of its repositories is allowed"},
		"a large page":         {page(99, 60<<10), "larger than any"},
		"a large repository":   {page(1, 200<<10), "larger than any"},
		"more than asked for":  {page(101, 0), "larger than any"},
		"much around the list": {`{"x":"` + strings.Repeat("x", 200<<10) + `",` + page(1, 0)[1:], "larger than any"},
		"a long name":          {`{"repositories":[{"id":1,"full_name":"acme/` + strings.Repeat("x", 101) + `"}]}`, "none of its repositories is allowed"},
		"no list":              {`{"repositories":{"r1":1}}`, "not the JSON"},
		"no object":            {`["r1"]`, "not the JSON"},
		"something behind":     {page(1, 0) + "{}", "not the JSON"},
	} {
		g := newScoped(t, auth.FallbackRefuse, `{"metadata":"read"}`)
		g.set(listOf1, reply{status: 200, body: test.body})
		scope := only("acme/r1")
		scope.Repository = func(login, _ string) bool { return login == "acme" }
		_, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme/r1"), Within: scope})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
}

// An answer about one thing is smaller, and of one that is no success only the
// message counts.
func TestAnswerBounds(t *testing.T) {
	g := newScoped(t, auth.FallbackRefuse, `{"metadata":"read"}`, "acme/r1")
	g.set(factsOf1, reply{status: 200, body: `{"id":1,"x":"` + strings.Repeat("x", 300<<10) + `"}`})
	_, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme/r1"), Within: only("acme/r1")})
	if refused := (*auth.Error)(nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), "larger than any") {
		t.Errorf("err = %v, want that the answer is too large", err)
	}
}

// A page that breaks off is asked for again, and counts once.
func TestListIsReadAgain(t *testing.T) {
	var names []string
	for i := range 60 { // twice that is more than a page
		names = append(names, fmt.Sprintf("acme/r%d", i+1))
	}
	g := newScoped(t, auth.FallbackRefuse, `{"metadata":"read"}`, names...)
	g.Source = newSource(t, &breaking{api: g.api, call: listOf1}, auth.FallbackRefuse, func() *auth.App {
		app := newApp("ci-bot", 1)
		app.Installations = map[string]github.InstallationID{"acme": 1}
		return app
	}())
	if _, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme/r1"), Within: only("acme/r1", "acme/r2")}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(g.minted(), " "); got != `{"repository_ids":[1,2]}` {
		t.Errorf("minted for %s, want each repository once", got)
	}
}

// breaking cuts the first answer to a call off before its end.
type breaking struct {
	*api
	call string
	done bool
}

func (b *breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.api.RoundTrip(r)
	if err == nil && r.Method+" "+r.URL.RequestURI() == b.call && !b.done {
		b.done = true
		text, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(string(text[:len(text)-10])), failing{}))
	}
	return resp, err
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// However much an instance sends, little of it is held.
func TestListIsNotHeld(t *testing.T) {
	var before, after runtime.MemStats
	g := newScoped(t, auth.FallbackRefuse, `{"metadata":"read"}`)
	g.set(listOf1, reply{status: 200, body: page(99, 40<<10)}) // as a whole within the bound
	runtime.ReadMemStats(&before)
	if _, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme/r1"), Within: only("acme/r1")}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 2<<20 {
		t.Errorf("a page of 4 MiB took %d bytes in all, want less than 2 MiB: its items are read one by one", took)
	}
}

// A list whose pages come slowly is given up as a whole.
func TestListTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var many []string
		for i := range 2500 {
			many = append(many, fmt.Sprintf("acme/r%d", i))
		}
		g := newScoped(t, auth.FallbackRefuse, `{"metadata":"read"}`, many...)
		g.before = func(r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/installation/repositories") {
				select {
				case <-time.After(20 * time.Second):
				case <-r.Context().Done():
				}
			}
		}
		scope := only("acme/r1")
		scope.Repository = func(login, _ string) bool { return login == "acme" }
		begin := time.Now()
		_, err := g.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme/r1"), Within: scope})
		if took := time.Since(begin); err == nil || took > 65*time.Second {
			t.Errorf("after %v: %v, want an error after a minute", took, err)
		}
	})
}
