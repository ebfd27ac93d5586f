package proxy

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

func TestPlaceholderIn(t *testing.T) {
	token := newPlaceholderToken()
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for authorization, want := range map[string]string{
		"Bearer " + token:                  token,
		"bearer  " + token + " ":           token,
		"token " + token:                   token,
		basic("x-access-token:" + token):   token,
		basic(token + ":x-oauth-basic"):    token,
		basic(token + ":"):                 token,
		basic(token):                       token,
		"":                                 "",
		token:                              "",
		"Bearer ":                          "",
		"Bearer ghs_placeholder":           "", // what `run` puts into the environment
		"Bearer " + token + "x":            "",
		"Bearer ghs_" + token[4:39] + "\t": "",
		"Digest " + token:                  "",
		"Basic " + token:                   "",
		basic("x:ghs_placeholder"):         "",
		basic("x:" + token[1:]):            "",
		"Basic !!!":                        "",
		basic(fmt.Sprintf("%500s", token)): "",
	} {
		if got := placeholderIn([]string{authorization}); got != want {
			t.Errorf("placeholderIn(%q) = %q, want %q", authorization, got, want)
		}
	}
	if got := placeholderIn(nil); got != "" {
		t.Errorf("placeholderIn(nil) = %q", got)
	}
}

func TestPlaceholderInAllocatesNothing(t *testing.T) {
	for _, value := range [][]string{nil, {"Bearer ghs_placeholder"}, {"token " + newPlaceholderToken()}, {"Bearer eyJ.eyJ.x"}} {
		if n := testing.AllocsPerRun(100, func() { placeholderIn(value) }); n != 0 {
			t.Errorf("placeholderIn(%q): %v allocations, want none", value, n)
		}
	}
}

func BenchmarkPlaceholderIn(b *testing.B) {
	for name, value := range map[string][]string{
		"none": nil, "token": {"token ghs_placeholder"}, "placeholder": {"Bearer " + newPlaceholderToken()},
		"basic": {"Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+newPlaceholderToken()))},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				placeholderIn(value)
			}
		})
	}
}

func TestPlaceholderToken(t *testing.T) {
	classic := regexp.MustCompile(`^ghs_[0-9A-Za-z]{36}$`)
	seen := map[string]bool{}
	for range 1000 {
		token := newPlaceholderToken()
		if !classic.MatchString(token) || !isPlaceholder(token) || seen[token] {
			t.Fatalf("newPlaceholderToken() = %q, want a new token of the classic form", token)
		}
		seen[token] = true
	}
}

func TestPlaceholdersExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPlaceholders()
		p := &placeholder{instance: github.GitHubCom, client: "agent"}
		s.add(p)
		time.Sleep(placeholderLife - time.Second)
		if s.find(p.token, github.GitHubCom, "agent") != p {
			t.Error("a second before its end it is not found")
		}
		for _, other := range []struct {
			instance github.Instance
			client   string
		}{{"ghe.example.com", "agent"}, {github.GitHubCom, ""}, {github.GitHubCom, "other"}} {
			if s.find(p.token, other.instance, other.client) != nil {
				t.Errorf("it is found for client %q on %s", other.client, other.instance)
			}
		}
		time.Sleep(time.Second)
		if s.find(p.token, github.GitHubCom, "agent") != nil {
			t.Error("at its end it is still found")
		}
		s.add(&placeholder{client: "agent"})
		if len(s.byKey) != 1 || s.of["agent"].order.Len() != 1 {
			t.Errorf("%d are kept, want the expired one dropped", len(s.byKey))
		}
	})
}

func TestPlaceholdersAreBounded(t *testing.T) {
	s := newPlaceholders()
	others := &placeholder{client: "other"}
	s.add(others)
	first := &placeholder{}
	s.add(first)
	mine := s.of[""]
	for range maxPlaceholders {
		s.add(&placeholder{})
	}
	if len(s.byKey) != maxPlaceholders+1 || mine.order.Len() != maxPlaceholders || s.find(first.token, "", "") != nil {
		t.Errorf("%d are kept, want %d, without the first", mine.order.Len(), maxPlaceholders)
	}
	if s.find(others.token, "", "other") != others {
		t.Error("one client's placeholders displaced another's")
	}
	s.end(others)

	names := make([]string, 500)
	for i := range names {
		names[i] = fmt.Sprintf("%0100d", i)
	}
	narrow, err := github.NewNarrowing(names, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := &placeholder{narrow: narrow}
	for range maxPlaceholders {
		last = &placeholder{narrow: narrow}
		s.add(last)
	}
	if want := maxPlaceholderBytes / len(narrow.String()); len(s.byKey) != want || mine.bytes > maxPlaceholderBytes {
		t.Errorf("%d with %d bytes are kept, want %d", len(s.byKey), mine.bytes, want)
	}
	if s.find(last.token, "", "") != last {
		t.Error("the last one is not found")
	}
	for at := mine.order.Front(); at != nil; at = mine.order.Front() {
		s.end(at.Value.(*placeholder))
	}
	s.end(last) // which has ended
	if len(s.byKey) != 0 || mine.bytes != 0 {
		t.Errorf("after all ended, %d with %d bytes are kept", len(s.byKey), mine.bytes)
	}
}

// A rule's choice holds, whatever the placeholder's.
func TestPlaceholderWant(t *testing.T) {
	narrow, err := github.NewNarrowing([]string{"widgets"}, nil, map[string]string{"contents": "write"})
	if err != nil {
		t.Fatal(err)
	}
	p := &placeholder{app: "ci-bot", installation: 111, narrow: narrow}
	less, err := github.NewNarrowing(nil, nil, map[string]string{"contents": "read"})
	if err != nil {
		t.Fatal(err)
	}
	others, err := github.NewNarrowing([]string{"rockets"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		route rules.Route
		want  string // "" for a refusal
	}{
		{rules.Route{}, `{"permissions":{"contents":"write"},"repositories":["widgets"]}`},
		{rules.Route{App: "ci-bot", ForcedInstallation: 111}, `{"permissions":{"contents":"write"},"repositories":["widgets"]}`},
		{rules.Route{App: "release-bot"}, ""},
		{rules.Route{ForcedInstallation: 222}, ""},
		{rules.Route{Narrow: less}, `{"permissions":{"contents":"read"},"repositories":["widgets"]}`},
		{rules.Route{Narrow: others}, ""},
	} {
		got := decide.WantOf(&test.route)
		err := p.choose(&got, &test.route)
		if test.want == "" {
			if err == nil || credentialRefusal(err).Status != http.StatusForbidden {
				t.Errorf("choose(%+v) = %+v, %v, want a refusal", test.route, got, err)
			}
			continue
		}
		if err != nil || got.App != "ci-bot" || got.Installation != 111 || got.Narrow.String() != test.want {
			t.Errorf("choose(%+v) = %+v, %v, want installation 111 narrowed to %s", test.route, got, err, test.want)
		}
	}
}
