package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// TestStats: what was asked, how it went, and what is known by it.
func TestStats(t *testing.T) {
	fake, app := &api{}, newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 111, "globex": 999}
	fake.set("GET /repos/octo/docs/installation", reply{status: 200, body: `{"id":222,"account":{"login":"Octo"},"repository_selection":"all"}`})
	fake.set("POST /app/installations/999/access_tokens", reply{status: 403, body: `{"message":"This installation has been suspended"}`})
	s := newSource(t, fake, auth.FallbackRefuse, app)
	if stats := s.Stats(); !stats.Apps[0].Checked.IsZero() || !stats.Instances[0].Reached.IsZero() || stats.Apps[0].Tokens != 0 {
		t.Errorf("at the start: %+v", stats)
	}
	for _, name := range []string{"acme", "octo/docs", "globex", "nobody"} {
		cred, err := s.Token(t.Context(), "github.com", auth.Want{Owner: owner(name)})
		if failed := name == "globex" || name == "nobody"; (err != nil) != failed {
			t.Fatalf("%s: %v", name, err)
		}
		if name != "acme" {
			continue
		}
		out := &auth.Outgoing{Instance: "github.com", Credential: &cred, Scheme: auth.SchemeBearer, API: true}
		fake.set("GET /x", reply{status: 200, header: http.Header{
			"X-Ratelimit-Resource": {"core"}, "X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"4321"}, "X-Ratelimit-Reset": {strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)},
		}})
		req, _ := http.NewRequest("GET", "https://api.github.com/x", nil)
		resp, err := s.Send(fake, req, out)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	stats := s.Stats()
	got := stats.Apps[0]
	if fmt.Sprint(got.Mints) != "map[ok:2 refused:1]" || got.LookUps["ok"] != 1 || got.LookUps["not_found"] == 0 || got.Tokens != 2 || got.Problem != nil || got.Checked.IsZero() {
		t.Errorf("%+v", got)
	}
	if since := time.Since(stats.Instances[0].Reached); since < 0 || since > time.Minute {
		t.Errorf("%+v", stats.Instances[0])
	}
	var list []string
	for _, inst := range got.Installations {
		list = append(list, fmt.Sprint(inst.ID, " ", inst.Account, " ", inst.Tokens))
		if inst.ID == 111 && (len(inst.Quotas) != 1 || inst.Quotas[0].Resource != "core" || inst.Quotas[0].Limit != 5000 || inst.Quotas[0].Remaining != 4321 || time.Until(inst.Expires) < time.Minute || time.Since(inst.Minted) > time.Minute) {
			t.Errorf("%+v", inst)
		}
	}
	if want := "111  1, 222 octo 1, 999  0"; strings.Join(list, ", ") != want {
		t.Errorf("installations %q, want %q", list, want)
	}
}

// TestStatsTellWrongMappings: a survey shows where an installation is.
func TestStatsTellWrongMappings(t *testing.T) {
	fake, app := &api{}, newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 111, "globex": 222}
	app.Enterprises = map[string]github.InstallationID{"megacorp": 333}
	fake.set("GET /app/installations?per_page=100&page=1", reply{status: 200, body: `[{"id":111,"account":{"id":1,"login":"Acme"}},{"id":222,"account":{"id":2,"login":"Other"}}]`})
	s := newSource(t, fake, auth.FallbackRefuse, app)
	s.Survey()
	for deadline := time.Now().Add(10 * time.Second); len(s.Stats().Apps[0].Wrong) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	wrong := s.Stats().Apps[0].Wrong
	if len(wrong) != 1 || wrong[0].Error() != "app.ci-bot.installations.globex = 222 is an installation on other, not on globex" {
		t.Errorf("%v", wrong)
	}
}

// TestProbe: whether GitHub takes the App for what it is, and whether it answers.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, app := &api{}, newApp("ci-bot", 1)
		s := newSource(t, fake, auth.FallbackRefuse, app)
		probe := func(answer reply) (auth.InstanceStats, auth.AppStats) {
			fake.set("GET /app", answer)
			time.Sleep(2 * time.Minute)
			s.Probe(t.Context(), time.Minute)
			stats := s.Stats()
			return stats.Instances[0], stats.Apps[0]
		}
		if _, got := probe(reply{status: 200, body: "{}"}); got.Problem != nil || got.Checked.IsZero() {
			t.Errorf("accepted: %+v", got)
		}
		if s.Probe(t.Context(), time.Minute); len(fake.calls) != 1 {
			t.Errorf("asked again at once: %q", fake.calls)
		}
		if _, got := probe(reply{status: 401, body: `{"message":"A JSON web token could not be decoded"}`}); got.Problem == nil || !strings.Contains(got.Problem.Remedy, "check that the private key") {
			t.Errorf("refused: %+v", got)
		}
		before := len(fake.calls)
		if s.Probe(t.Context(), time.Minute); len(fake.calls) == before {
			t.Error("what is refused is not asked again")
		}
		if instance, got := probe(reply{err: errors.New("no route")}); got.Problem == nil || got.Retries["unreachable"] != 2 || !instance.Missed.After(instance.Reached) || !strings.Contains(instance.Problem.Error(), "no route") {
			t.Errorf("unreachable: %+v, %+v", instance, got)
		}
		if instance, got := probe(reply{status: 200, body: "{}"}); got.Problem != nil || !instance.Reached.After(instance.Missed) {
			t.Errorf("again: %+v, %+v", instance, got)
		}
		if _, got := probe(reply{status: 404, body: `{"message":"Integration not found"}`}); got.Problem == nil {
			t.Errorf("no such App: %+v", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Probe(ctx, 0) // ends
	})
}
