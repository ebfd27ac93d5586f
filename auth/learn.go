package auth

import (
	"net/http"

	"ghapp-proxy/github"
)

// learn takes from the head of GitHub's answer what later requests will need: what
// time it is there, how much of its quota an installation has left, whose the ids
// are by which GitHub calls repositories and accounts, and that a repository has
// moved. Nothing is learned from bodies: what stands in a repository may be hostile.
func (s *Source) learn(out *Outgoing, resp *http.Response) {
	if clock := s.clocks[out.Instance]; out.API && clock != nil {
		clock.observeOften(resp.Header.Get("Date"), resp.Header.Get("Age"))
	}
	inst := out.Credential.inst
	if inst != nil && !out.Observed {
		inst.observeQuota(resp.Header)
	}
	switch status := resp.StatusCode; {
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect:
		s.forget(out.Instance, out.Subject)
		if out.Links != nil {
			s.forget(out.Instance, out.Links.MovedTo(resp.Header)) // it may have a new owner
		}
	case inst == nil:
	case status == http.StatusForbidden:
		inst.forgetOld(out.Subject)
	case status == http.StatusNotFound, status == http.StatusGone:
		inst.forgetMissing(out.Subject)
	case status >= 200 && status <= 299 && out.Links != nil && out.Credential.teaches():
		if id := out.Links.NamedBy(resp.Header); id.ByID() {
			inst.learnID(id, out.Subject)
		}
	}
}

// teaches reports whether what GitHub says to the credential is of use to others. A
// fallback teaches nothing; nor does a credential that GitHub named while its App
// stands in for another, which would lose the id to it.
func (c Credential) teaches() bool {
	return c.inst != nil && !c.Fallback && !(c.standIn && c.inst.discovered)
}

// forget drops what GitHub said about an owner: it has moved.
func (s *Source) forget(instance github.Instance, owner github.Account) {
	for _, app := range s.apps[instance] {
		app.forget(owner.Key())
	}
}
