package proxy

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// sealedForm is what GitHub's own tokens may have in them, and no dot, by which
// programs tell JWTs.
var sealedForm = regexp.MustCompile(`^ghs_[0-9A-Za-z_-]+$`)

// withSource is a gateway for requests by one Source.
type withSource struct {
	*gateway
	source *auth.Source
}

func (w withSource) give(ctx context.Context, p *placeholder) { w.gateway.give(ctx, w.source, p) }

func (w withSource) findPlaceholder(ctx context.Context, token string, instance github.Instance, client string) *placeholder {
	return w.gateway.findPlaceholder(ctx, w.source, token, instance, client)
}

// TestSealedPlaceholder: a placeholder is good for who got it, until its end or its
// revocation, also in another proxy with the same key.
func TestSealedPlaceholder(t *testing.T) {
	narrow, err := github.NewNarrowing([]string{"widgets"}, []int64{7}, map[string]string{"contents": "read"})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		proxies := make([]withSource, 2)
		for i := range proxies {
			source := newSource(&refuser{})
			defer source.Close()
			proxies[i] = withSource{&gateway{placeholders: newPlaceholders()}, source}
		}
		here, elsewhere := proxies[0], proxies[1]
		find := func(g withSource, token string) *placeholder {
			return g.findPlaceholder(t.Context(), token, github.GitHubCom, "agent")
		}
		for _, narrow := range []*github.Narrowing{nil, narrow} {
			p := &placeholder{instance: github.GitHubCom, client: "agent", app: "a", installation: 111, narrow: narrow}
			here.give(t.Context(), p)
			if !sealedForm.MatchString(p.token) || !isPlaceholder(p.token) || placeholderIn([]string{"Bearer " + p.token}) != p.token {
				t.Errorf("the token is %q", p.token)
			}
			basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+p.token))
			if placeholderIn([]string{basic}) != p.token {
				t.Errorf("%q is not found in Basic", p.token)
			}
			for _, g := range proxies {
				got := find(g, p.token)
				if got == nil || got.app != "a" || got.installation != 111 || got.narrow.String() != narrow.String() || !got.expires.Equal(p.expires) {
					t.Fatalf("found %+v, want %+v", got, p)
				}
				for _, other := range []struct {
					instance github.Instance
					client   string
				}{{"ghe.example.com", "agent"}, {github.GitHubCom, ""}, {github.GitHubCom, "other"}} {
					if g.findPlaceholder(t.Context(), p.token, other.instance, other.client) != nil {
						t.Errorf("it is found for client %q on %s", other.client, other.instance)
					}
				}
				others := []string{p.token[:len(p.token)-1], p.token + "A", p.token + "\n", p.token[:30] + "\r\n" + p.token[30:], p.token + "="}
				for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" { // some say the same
					others = append(others, p.token[:len(p.token)-1]+string(last))
				}
				for _, other := range others {
					if other != p.token && find(g, other) != nil {
						t.Errorf("%q is as good as %q", other, p.token)
					}
				}
			}
			here.placeholders.end(find(here, p.token))
			if find(here, p.token) != nil {
				t.Error("it is good after its revocation")
			}
			if find(elsewhere, p.token) == nil {
				t.Error("another proxy knows of the revocation, which the documentation denies")
			}
			time.Sleep(placeholderLife - time.Second)
			if find(elsewhere, p.token) == nil {
				t.Error("it is not good a second before its end")
			}
			time.Sleep(time.Second)
			if find(elsewhere, p.token) != nil {
				t.Error("it is good at its end")
			}
		}
		if len(here.placeholders.byKey) != 0 {
			t.Errorf("%d are kept, want none", len(here.placeholders.byKey))
		}
	})
}

// TestLargePlaceholder: one that would be too long is kept, and as long as ever.
func TestLargePlaceholder(t *testing.T) {
	source := newSource(&refuser{})
	defer source.Close()
	g := withSource{&gateway{placeholders: newPlaceholders()}, source}
	for _, test := range []struct {
		names  int
		sealed bool
	}{{10, true}, {500, false}} {
		var names []string
		for i := range test.names {
			names = append(names, fmt.Sprintf("%x", revokedKey(fmt.Sprint(i))))
		}
		narrow, err := github.NewNarrowing(names, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &placeholder{instance: github.GitHubCom, client: "agent", app: "a", installation: 111, narrow: narrow}
		g.give(t.Context(), p)
		if sealed := strings.HasPrefix(p.token, sealedPrefix); sealed != test.sealed || len(p.token) > maxSealed {
			t.Errorf("%d names: %d characters, sealed: %v, want %v", test.names, len(p.token), sealed, test.sealed)
		}
		if got := g.findPlaceholder(t.Context(), p.token, github.GitHubCom, "agent"); got == nil || got.narrow.String() != narrow.String() {
			t.Errorf("%d names: found %+v", test.names, got)
		}
	}
}

// TestRevocationsAreBounded: of each client by itself, and no longer than they count.
func TestRevocationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPlaceholders()
		other := &placeholder{client: "other", token: sealedPrefix + "x", expires: time.Now().Add(time.Hour)}
		s.end(other)
		var last *placeholder
		for i := range maxPlaceholders + 10 {
			last = &placeholder{client: "agent", token: sealedPrefix + fmt.Sprint(i), expires: time.Now().Add(time.Minute + time.Duration(i))}
			s.end(last)
		}
		if n := len(s.of["agent"].revoked); n != maxPlaceholders || !s.isRevoked(last) || !s.isRevoked(other) {
			t.Errorf("%d are kept, the last: %v, another client's: %v", n, s.isRevoked(last), s.isRevoked(other))
		}
		time.Sleep(2 * time.Minute)
		s.end(&placeholder{client: "agent", token: sealedPrefix + "new", expires: time.Now().Add(time.Hour)})
		if n := len(s.of["agent"].revoked); n != 1 {
			t.Errorf("%d are kept when all but one have expired", n)
		}
	})
}

// TestSharedRevocationsAreBounded: who revokes without end does not take the room of others in what all replicas know, and
// tells them again when what it has revoked has expired.
func TestSharedRevocationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, shared := newPlaceholders(), revokedThings{}
		s.revokedByAll = shared
		revoke := func(client, name string) *placeholder {
			p := &placeholder{client: client, token: sealedPrefix + name, expires: time.Now().Add(time.Hour)}
			s.end(p)
			return p
		}
		var last *placeholder
		for i := range 3 * maxRevokedShared {
			last = revoke("agent", fmt.Sprint(i))
		}
		if len(shared) != maxRevokedShared || shared.Has(revokedName(last)) || !s.isRevoked(last) {
			t.Errorf("of %d that a client has revoked the others are told %d, here the last is known: %v", 3*maxRevokedShared, len(shared), s.isRevoked(last))
		}
		if p := revoke("other", "x"); !shared.Has(revokedName(p)) {
			t.Error("another client's is not shared")
		}
		time.Sleep(time.Hour)
		if p := revoke("agent", "later"); !shared.Has(revokedName(p)) || len(s.of["agent"].revoked) != 1 {
			t.Errorf("an hour later it is not shared, with %d revoked", len(s.of["agent"].revoked))
		}
	})
}

// revokedThings is a RevokedSet of one.
type revokedThings map[string]time.Time

func (r revokedThings) Has(thing string) bool { return time.Now().Before(r[thing]) }

func (r revokedThings) Add(things map[string]time.Time) { maps.Copy(r, things) }

// FuzzUnseal: whatever a client makes up is no placeholder.
func FuzzUnseal(f *testing.F) {
	source := newSource(&refuser{})
	f.Cleanup(source.Close)
	g := withSource{&gateway{placeholders: newPlaceholders()}, source}
	p := &placeholder{instance: github.GitHubCom, app: "a", installation: 111}
	g.give(f.Context(), p)
	f.Add(p.token[len(sealedPrefix):])
	f.Fuzz(func(t *testing.T, encoded string) {
		if got := g.findPlaceholder(t.Context(), sealedPrefix+encoded, github.GitHubCom, ""); got != nil && got.token != p.token {
			t.Errorf("%q is a placeholder for %+v", encoded, got)
		}
	})
}
