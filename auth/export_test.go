package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/governor"
)

// The steps of Send, for tests that look at one of them.

// ObserveDate takes the Date of an answer in.
func (s *Source) ObserveDate(instance github.Instance, date, age string) {
	if c := s.clocks[instance]; c != nil {
		c.observeOften(date, age)
	}
}

// ObserveQuota takes the limits in an answer in.
func (s *Source) ObserveQuota(cred Credential, h http.Header) {
	if cred.inst != nil {
		cred.inst.quota.observe(h, cred.inst.clock.now())
	}
}

// Replace heals the refusal of a credential.
func (s *Source) Replace(ctx context.Context, refused Credential, want Want) (Credential, error) {
	if !refused.JWT() {
		return s.replace(ctx, refused, want)
	}
	a := jwtAuthority{caller: s.candidates(refused.App.Instance, refused.App.Name)[0].caller, jwt: refused.header}
	_, err := a.heal(ctx, nil, aboutKey)
	refused.header = a.jwt
	return refused, err
}

// Regrant heals a 403.
func (s *Source) Regrant(ctx context.Context, refused Credential, want Want, accepted string) (Credential, error) {
	return s.regrant(ctx, refused, want, accepted)
}

// Coverage asks about a repository that was not found.
func (s *Source) Coverage(ctx context.Context, cred Credential, repository github.Account) coverage {
	return cred.inst.coverage(ctx, cred.Grant(), repository)
}

// linked are the Links of an answer that names an id in its Link fields.
type linked struct{ id github.Account }

func (linked) MovedTo(http.Header) github.Account   { return github.Account{} }
func (l linked) NamedBy(http.Header) github.Account { return l.id }

// answered takes in an answer to a request that was about an owner.
func (s *Source) answered(cred Credential, about github.Account, status int, links Links) {
	s.learn(&Outgoing{Instance: github.GitHubCom, Credential: &cred, Subject: about, Links: links}, &http.Response{StatusCode: status})
}

// Learn takes in an answer that calls an owner by an id.
func (s *Source) Learn(cred Credential, id, named github.Account) {
	s.answered(cred, named, 200, linked{id})
}

// Forget takes in a redirect.
func (s *Source) Forget(_ string, owner github.Account) { s.answered(Credential{}, owner, 301, nil) }

// Doubt takes in a 404.
func (s *Source) Doubt(cred Credential, repository github.Account) {
	s.answered(cred, repository, 404, nil)
}

// Suspect takes in a 403.
func (s *Source) Suspect(cred Credential, repository github.Account) {
	s.answered(cred, repository, 403, nil)
}

// CheckMapping looks whether the configuration gives an owner an installation on
// another account.
func (s *Source) CheckMapping(ctx context.Context, cred Credential, owner github.Account) *MappingError {
	return cred.inst.checkMapping(ctx, owner)
}

// Coverage is what is known of a repository that was not found.
type Coverage = coverage

const (
	CoverageUnknown = coverageUnknown
	CoverageNone    = coverageNone
	CoverageSame    = coverageSame
	CoverageOther   = coverageOther
)

// Explains reports whether the grant is the reason for a 403.
func (g *Grant) Explains(accepted string) bool { return g.explains(accepted) }

// KeyLines are the marks of a key, which do not tell what they are.
var KeyLines = keyLines

// Swept is how many caches the sweeper knows.
func (s *Source) Swept() int {
	lasting, others := s.sweeper.all()
	return len(lasting) + len(others)
}

// MaxPeers is maxPeers.
const MaxPeers = maxPeers

// UseOf is what another replica tells, at a time, of the points of an App that it has used at an installation, 0 for the App.
func (s *Source) UseOf(app string, from, serial uint64, at time.Time, id github.InstallationID, points int) []byte {
	use := governor.Use{}
	use.Of[governor.Points] = points
	text, err := json.Marshal(useText{from, serial, at, []bucketText{{id, use}}})
	if err != nil {
		panic(err)
	}
	c := s.candidates(github.GitHubCom, app)[0].caller
	return c.vault.seal(context.Background(), useTopic, newGeneration(), text)
}

// BucketOf is the bucket of an installation of an App, 0 for the App.
func (s *Source) BucketOf(app string, id github.InstallationID) *governor.Bucket {
	q := s.candidates(github.GitHubCom, app)[0].quotas
	if id == 0 {
		return q.own.bucket
	}
	return q.of(id).bucket
}

// Replicas is how many there are, and how many are remembered besides.
func (s *Source) Replicas() (count, remembered int) {
	n := s.peers.count()
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	return n, len(s.peers.others)
}
