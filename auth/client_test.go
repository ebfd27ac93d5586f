package auth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

func TestClient(t *testing.T) {
	seen := map[string][]string{} // URL → Authorization
	fake := &api{before: func(r *http.Request) { seen[r.URL.String()] = r.Header["Authorization"] }}
	fake.set("GET /ok", reply{status: 200})
	fake.set("GET /moved", reply{status: 302, location: "https://storage.example.com/ok"})
	fake.set("GET /down", reply{status: 302, location: "http://api.github.com/ok"})
	client := acmeSource(t, fake).Client("github.com", owner("acme"))
	const token, own = "Bearer ghs_1", "token mine"
	for _, test := range []struct {
		url  string
		want map[string]string
	}{
		{"https://api.github.com/ok", map[string]string{"https://api.github.com/ok": token}},
		{"https://API.github.com/ok", map[string]string{"https://API.github.com/ok": token}},
		{"https://api.github.com/moved", map[string]string{"https://api.github.com/moved": token, "https://storage.example.com/ok": ""}},
		{"https://api.github.com/down", map[string]string{"https://api.github.com/down": token, "http://api.github.com/ok": ""}},
		{"https://api.github.com.evil.example/ok", map[string]string{"https://api.github.com.evil.example/ok": own}},
		{"https://api.github.com:444/ok", map[string]string{"https://api.github.com:444/ok": own}},
	} {
		clear(seen)
		req, err := http.NewRequestWithContext(t.Context(), "GET", test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(test.url, "github.com/") { // else a redirect would take it along
			req.Header.Set("Authorization", own)
		}
		before := req.Header.Clone()
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("GET %s: %v", test.url, err)
			continue
		}
		resp.Body.Close()
		for url, want := range test.want {
			if got, ok := seen[url]; !ok || strings.Join(got, ",") != want {
				t.Errorf("GET %s: %s got Authorization %q (arrived: %t), want %q", test.url, url, got, ok, want)
			}
		}
		if len(req.Header) != len(before) || req.Header.Get("Authorization") != before.Get("Authorization") {
			t.Errorf("GET %s: the request was changed: %v", test.url, req.Header)
		}
	}
}

// TestClientOverwrites: of two credentials only the Source's leaves.
func TestClientOverwrites(t *testing.T) {
	var got []string
	fake := &api{before: func(r *http.Request) { got = r.Header["Authorization"] }}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = []string{"token mine", "token other"}
	resp, err := acmeSource(t, fake).Client("github.com", owner("acme")).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(got) != 1 || got[0] != "Bearer ghs_1" {
		t.Errorf("Authorization = %q, want the installation's", got)
	}
}

func TestClientRefused(t *testing.T) {
	body := &closing{Reader: strings.NewReader("x")}
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.github.com/x", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := acmeSource(t, &api{}).Client("github.com", owner("octocat")).Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if missing := (*auth.NotInstalledError)(nil); !errors.As(err, &missing) || !body.closed {
		t.Errorf("POST for octocat = %v (body closed: %t), want a *NotInstalledError", err, body.closed)
	}
}

// closing notes that it was closed.
type closing struct {
	*strings.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// TestClientOfServer: an Enterprise Server has all on one host.
func TestClientOfServer(t *testing.T) {
	got := map[string]bool{} // path → whether the token arrived
	fake := &api{before: func(r *http.Request) { got[r.URL.Path] = r.Header.Get("Authorization") == "Bearer ghs_1" }}
	app := newApp("ci-bot", 1)
	app.Instance, app.API = "ghe.example.com", &url.URL{Scheme: "https", Host: "ghe.example.com", Path: "/api/v3"}
	app.Installations = map[string]github.InstallationID{"acme": 1}
	client := newSource(t, fake, 0, app).Client("ghe.example.com", owner("acme"))
	for path, want := range map[string]bool{"/api/v3/user": true, "/api/graphql": true, "/pages/acme/docs": false, "/apiary/x": false} {
		resp, err := client.Get("https://ghe.example.com" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got[path] != want {
			t.Errorf("GET %s: the token arrived: %t, want %t", path, got[path], want)
		}
	}
}
