package proxy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

// Three instances side by side: each has an App of its own, and a credential
// of one never goes to another.
func TestEnterpriseInstances(t *testing.T) {
	needGit(t)
	w := start(t, func(s *setup) {
		s.apps[0].Installations = map[string]github.InstallationID{"acme": 111}
		for _, name := range enterprises {
			instance := github.Instance(name)
			s.options.Hosts = append(s.options.Hosts, instance.Hosts()...)
			app := *s.apps[0]
			app.Name, app.Instance, app.API = "ci-bot of "+name, instance, instance.APIURL()
			s.apps = append(s.apps, &app)
		}
		s.apps = slices.Delete(s.apps, 1, 2) // release-bot stays away
	})
	const (
		jwt   = githubtest.CredentialJWT
		token = githubtest.CredentialInstallation
		git   = githubtest.CredentialBasicToken
	)
	client := w.client(t, false)
	for _, test := range []struct {
		url  string
		kind githubtest.CredentialKind
	}{
		{"https://ghe.example.com/api/v3/app", jwt},
		{"https://ghe.example.com/api/v3/repos/acme/widgets", token},
		{"https://ghe.example.com/api/v3/repos/initech/paper", token}, // discovered, on that instance
		{"https://ghe.example.com/acme/widgets.git/info/refs?service=git-upload-pack", git},
		{"https://api.octo.ghe.com/app", jwt},
		{"https://api.octo.ghe.com/repos/acme/widgets", token},
		{"https://octo.ghe.com/acme/widgets/info/refs?service=git-upload-pack", git},
		{"https://api.github.com/repos/acme/widgets", token},
	} {
		w.github.Reset()
		status, body := get(t, client, test.url)
		host, _, _ := strings.Cut(strings.TrimPrefix(test.url, "https://"), "/")
		requests := w.github.Requests()
		own := func(r *githubtest.Request) bool { return r.Header.Get("User-Agent") == "ghapp-proxy" }
		last := slices.DeleteFunc(slices.Clone(requests), own)[0]
		if status != 200 || last.Credential != test.kind {
			t.Errorf("GET %s: %d with %s, want 200 with %s\n%.200s", test.url, status, last.Credential, test.kind, body)
		}
		for _, r := range requests { // mints and look-ups go to the same instance
			if !strings.HasSuffix(r.Host, strings.TrimPrefix(host, "api.")) && !strings.HasSuffix(host, strings.TrimPrefix(r.Host, "api.")) {
				t.Errorf("GET %s asked %s", test.url, r)
			}
		}
	}
	for _, api := range []string{"https://ghe.example.com/api/graphql", "https://api.octo.ghe.com/graphql"} {
		w.github.Reset()
		status, body := post(t, client, api, `{"query":"{ repository(owner: \"acme\", name: \"widgets\") { name } }"}`)
		requests := w.github.Requests()
		if last := lastOfClient(t, requests); status != 200 || last.Installation != 111 {
			t.Errorf("POST %s: %d with installation %d, want 200 with 111\n%.200s", api, status, last.Installation, body)
		}
	}
	if status, body := post(t, client, "https://ghe.example.com/api/uploads/repos/acme/widgets/releases/1/assets?name=x", "x"); strings.Contains(body, "ghapp-proxy") || status == 401 {
		t.Errorf("upload: %d %s", status, body)
	}
	// Whatever looks like the API but is not gets no credential.
	w.github.Reset()
	get(t, client, "https://ghe.example.com/api/v30/repos/acme/widgets")
	if got := w.last(t, "/api/v30/repos/acme/widgets"); got.Credential != githubtest.CredentialNone {
		t.Errorf("/api/v30 left with %s", got.Credential)
	}
	// Page two, on an instance whose API is below a path.
	get(t, client, "https://ghe.example.com/api/v3/repos/acme/widgets/issues?state=all&per_page=30")
	w.github.Reset()
	if status, body := get(t, client, "https://ghe.example.com/api/v3/repositories/9001/issues?state=all&per_page=30&page=2"); status != 200 {
		t.Errorf("page two: %d %.200s", status, body)
	}
	if n := len(w.github.Requests()); n != 1 {
		t.Errorf("page two cost %d requests, want 1", n)
	}
}

// Git LFS at a GHES stores objects on the same host, with a credential that the
// batch call's answer contains. Nothing else of the client's passes.
func TestEnterpriseStoredObjects(t *testing.T) {
	const name, object = "ghe.example.com", "/storage/lfs/9001/objects/e3b0c442"
	w := start(t, func(s *setup) {
		s.options.Hosts = append(s.options.Hosts, github.Instance(name).Hosts()...)
		app := *s.apps[0]
		app.Name, app.Instance, app.API = "ci-bot of "+name, name, github.Instance(name).APIURL()
		app.Installations = map[string]github.InstallationID{"acme": 111}
		s.apps = append(s.apps, &app)
	})
	client := w.client(t, false)
	for _, test := range []struct{ url, sent, want string }{
		{"https://ghe.example.com" + object, "RemoteAuth gitauth-v1-x", "RemoteAuth gitauth-v1-x"},
		{"https://ghe.example.com" + object, "Basic eDp5", ""},
		{"https://ghe.example.com" + object, "token mine", ""},
		{"https://github.com" + object, "RemoteAuth gitauth-v1-x", ""},
		{"https://ghe.example.com/api/v3/repos/acme/widgets", "RemoteAuth gitauth-v1-x", "Bearer "},
		{"https://ghe.example.com/acme/widgets.git/info/lfs/locks", "RemoteAuth gitauth-v1-x", "Basic "},
	} {
		w.github.Reset()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", test.sent)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got := w.last(t, req.URL.Path).Authorization()
		if got != test.want && (!strings.HasSuffix(test.want, " ") || !strings.HasPrefix(got, test.want)) {
			scheme, _, _ := strings.Cut(got, " ")
			t.Errorf("GET %s with %q left with %q…, want %q", test.url, test.sent, scheme, test.want)
		}
	}
}
