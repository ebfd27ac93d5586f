//go:build unix

package main

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/grant"
	"ghapp-proxy/oidc/oidctest"
)

// grantedFleet is a fleet with a client whose grants all replicas take.
func grantedFleet(t *testing.T) *fleet {
	t.Helper()
	return grantedFleetWith(t, "")
}

// grantedFleetWith is grantedFleet with more tables.
func grantedFleetWith(t *testing.T, tables string) *fleet {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	file := filepath.Join(t.TempDir(), "grants.key")
	if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return newFleetWith(t, 1, "1s", "grant_key_file = \""+file+"\"\n[client.agent]\ngrants = true\nrepositories = [\"acme/*\"]\n"+tables)
}

// command runs a command of the program with the configuration of a replica, and returns what it prints.
func (f *fleet) command(t *testing.T, i int, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(f.dir, "ghapp-proxy"), append(args, "--config", f.config(i))...)
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "XDG_STATE_HOME="+filepath.Join(f.dir, "state"))
	var says strings.Builder
	cmd.Stderr = &says
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, says.String())
	}
	return strings.TrimSpace(string(out))
}

// holder asks a replica as who holds a grant.
type holder struct {
	*http.Client
	at string
}

func (f *fleet) holders(text string) (list [replicas]holder) {
	for i, address := range f.addresses {
		client := clientOf(address, f.roots)
		transport := client.Transport.(*http.Transport)
		transport.ProxyConnectHeader = http.Header{"Proxy-Authorization": {"Bearer " + text}}
		list[i] = holder{client, address}
	}
	return list
}

// outcome is "good", "revoked", or "" where the connection has just been closed; anything else fails the test.
func (h holder) outcome(t *testing.T) string {
	t.Helper()
	resp, err := h.Get("https://api.github.com/repos/acme/widgets")
	switch {
	case err != nil && strings.Contains(err.Error(), "is revoked"): // the answer to CONNECT
		return "revoked"
	case err != nil:
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return ""
	case resp.StatusCode == http.StatusOK:
		return "good"
	case resp.StatusCode == http.StatusForbidden && strings.Contains(string(text), "is revoked"):
		return "revoked"
	}
	t.Fatalf("%s answers %s %.300s", h.at, resp.Status, text)
	return ""
}

// TestReplicasRevoke: a grant that is revoked by the files of one replica ends at all of them, with all that were made from it,
// on connections that are open as well, and stays so when the store is gone. Others go on.
func TestReplicasRevoke(t *testing.T) {
	f := grantedFleet(t)
	text := func(url string) string {
		_, rest, _ := strings.Cut(url, "//agent:")
		text, _, _ := strings.Cut(rest, "@")
		return text
	}
	first := text(f.command(t, 0, "grant", "--client", "agent", "--actor", "octocat"))
	g, err := grant.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	less, err := g.Narrow(grant.Caveats{ReadOnly: true, Purpose: "review"})
	if err != nil {
		t.Fatal(err)
	}
	other := text(f.command(t, 1, "grant", "--client", "agent"))
	held, narrowed, others := f.holders(first), f.holders(less.Text()), f.holders(other)
	for i := range replicas {
		for _, h := range []holder{held[i], narrowed[i], others[i]} {
			if got := h.outcome(t); got != "good" {
				t.Fatalf("replica %d: a grant that nobody has revoked: %q", i, got)
			}
		}
	}

	f.command(t, 0, "grant", "revoke", g.ID().String())
	begun := time.Now()
	for i := range replicas {
		for n, h := range []holder{held[i], narrowed[i]} {
			for end := begun.Add(time.Minute); h.outcome(t) != "revoked"; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("replica %d still takes link %d", i, n)
				}
			}
		}
		t.Logf("replica %d: known %v after the command", i, time.Since(begun).Round(time.Millisecond))
	}
	f.store.Kill()
	for i := range replicas {
		if got := f.holders(less.Text())[i].outcome(t); got != "revoked" {
			t.Errorf("replica %d, without the store: %q", i, got)
		}
		if got := others[i].outcome(t); got != "good" {
			t.Errorf("replica %d, a grant that nobody has revoked: %q", i, got)
		}
	}
	for _, p := range f.proxies {
		p.stop(t)
	}
}

// TestReplicasReplay: a token that is good once is good at one of the replicas, also where all are asked at once;
// without the store each takes it once.
func TestReplicasReplay(t *testing.T) {
	issuer := oidctest.New()
	defer issuer.Close()
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, issuer.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	f := grantedFleetWith(t, "[[issuer]]\nname = \"jobs\"\nurl = \"https://jobs.example\"\naudience = \"ghapp-proxy\"\njwks_file = \""+keys+"\"\nreplay = \"refuse\"\n"+
		"[client.job]\noidc = { issuer = \"jobs\", claims = { sub = \"job\" } }\n")
	// exchanged is how many replicas take a token, which all are asked at once.
	exchanged := func(jti string) int {
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
			"subject_token": {issuer.Token(map[string]any{"iss": "https://jobs.example", "sub": "job", "jti": jti})},
		}
		var taken atomic.Int64
		var all sync.WaitGroup
		for _, address := range f.addresses {
			all.Go(func() {
				resp, err := http.PostForm("http://"+address+"/token", form)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				text, _ := io.ReadAll(resp.Body)
				switch {
				case resp.StatusCode == http.StatusOK:
					taken.Add(1)
				case resp.StatusCode != http.StatusForbidden || !strings.Contains(string(text), "used before"):
					t.Errorf("%s: %s %s", address, resp.Status, text)
				}
			})
		}
		all.Wait()
		return int(taken.Load())
	}
	before := f.alone(t)
	for _, test := range []struct {
		jti  string
		want int
	}{{"one", 1}, {"one", 0}, {"two", 1}} {
		n, late := exchanged(test.jti), f.alone(t)-before
		before += late
		if n < test.want || n > test.want+late { // on a busy machine the store may be late
			t.Errorf("%d replicas take token %s, want %d; %d had no answer of the store in time", n, test.jti, test.want, late)
		}
	}
	f.store.Kill()
	if n := exchanged("three"); n != replicas {
		t.Errorf("without the store %d replicas take a token", n)
	}
	for _, p := range f.proxies {
		p.stop(t)
	}
}
