package proxy

import (
	"context"
	"net/http"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
)

// use is the generation in force, until the lease's release.
func (p *Proxy) use() lease {
	for {
		if now := p.current.Load(); now.take() { // else another is in force
			return lease{generation: now}
		}
	}
}

// Replace puts another Configuration in force, and returns how many connections that
// ended. Requests under way finish by the one before; the next of a connection
// meets the new one. Closed at once, with the requests under way, are the
// connections of a client that is gone, that is told otherwise now, or that
// something was withdrawn from, and those that lead to where they would not lead now.
// Limits are replaced in place: what is used counts on. Replace may be called at any
// time.
func (p *Proxy) Replace(next Configuration) (ended int) {
	p.replacing.Lock()
	defer p.replacing.Unlock()
	before := p.current.Load()
	now := newGeneration(next, before)
	if before == nil || before.parts.Audit != next.Audit || before.parts.AuditRequired != next.AuditRequired {
		p.events.SetAudit(event.NewAudit(next.Audit, next.AuditRequired, p.opts.Log))
	}
	if before == nil || before.parts.Upstream != next.Upstream {
		for _, addr := range p.own {
			next.Upstream.Forbid(addr)
		}
	}
	p.current.Store(now)
	if before == nil {
		return 0
	}
	for name, old := range before.callers {
		if n := p.endOf(name, old, now); n > 0 {
			ended += n
		}
	}
	before.leave()
	return ended
}

// endOf closes the connections of a client of before that may not go on.
func (p *Proxy) endOf(name string, old caller, now *generation) (ended int) {
	who, configured := now.callers[name]
	end := func(why string, which func(*slot) bool) {
		if n := old.usage.end(which); n > 0 {
			p.opts.Log.Info("connections ended with the configuration of before", "client", name, "reason", why, "connections", n)
			ended += n
		}
	}
	every := func(*slot) bool { return true }
	switch {
	case !configured:
		end("the client is not configured any more", every)
		p.gateway.placeholders.forget(name)
	case old.client != nil && who.client.Withdraws(old.client):
		end("something is not granted to the client any more", every)
	default:
		end("the connection is not the client's any more", func(s *slot) bool { return !p.isStill(s, now.state) })
		end("the proxy does not lead there any more, or not in this way", func(s *slot) bool { return !now.leads(s.to.Load()) })
	}
	return ended
}

// leads reports whether a connection may lead where it does; nil is nowhere.
func (now *generation) leads(h *heading) bool {
	if h == nil {
		return true
	}
	if h.host.Name != "" {
		return now.hosts[h.host.Name] == h.host
	}
	if _, served := now.hosts[h.to.Host]; served {
		return false // by a tunnel, whoever it is would pass the limits
	}
	egress := now.parts.Upstream.opts.Egress
	denial := egress.Decide(h.to)
	if h.tunnel {
		denial = egress.DecideTunnel(h.to)
	}
	if denial == nil && h.addr.IsValid() && now.parts.Upstream.isDirect(h.to) {
		denial = now.parts.Upstream.decideAddr(h.to, h.addr)
	}
	return denial == nil
}

// head notes where the caller's connection leads, and refuses it if another
// Configuration came in between by which it does not.
func (p *Proxy) head(c *caller, h *heading) *answer.Refusal {
	c.slot.to.Store(h)
	if now := p.current.Load(); now.state != c.now && !now.leads(h) {
		return changed()
	}
	return nil
}

// count counts a connection for the caller, until its release.
func (p *Proxy) count(ctx context.Context, by evidence, c *caller) *answer.Refusal {
	s, refused := c.usage.open(ctx, c.identity(by), p.opts.Patience)
	if refused != nil {
		return refused
	}
	if !p.isStill(s, p.current.Load().state) { // Replace may have come before it was counted
		s.release()
		return changed()
	}
	c.slot = s
	return nil
}

// isStill reports whether a connection is by another policy that of the client
// that it was of.
func (p *Proxy) isStill(s *slot, now *state) bool {
	told := s.told.Load()
	if told.policy == now {
		return true
	}
	is, refused := p.clientOf(now, told.evidence)
	if refused != nil || now.callers[nameOf(is.client)].usage != s.usage {
		return false
	}
	s.told.CompareAndSwap(told, &identity{now, told.evidence, is.proof})
	return true
}

// again is the caller of a connection to a served host by another state, for its next
// request.
func (p *Proxy) again(now *state, c caller, host github.Host) (caller, *answer.Refusal) {
	if c.now == now {
		return c, c.stillGood()
	}
	if !p.isStill(c.slot, now) || now.hosts[host.Name] != host {
		return c, changed()
	}
	told := c.slot.told.Load()
	who := now.callers[c.usage.name].by(told.proof)
	who.anonymous = p.isAnonymous(now, who.client, told.evidence.listener)
	who.slot = c.slot
	return who, who.stillGood()
}

var replacedNow = answer.Define(answer.Kind{
	Status: http.StatusServiceUnavailable, Code: answer.RequestDenied,
	Title:  "the configuration was changed at this moment",
	Remedy: "connect again",
})

// changed refuses what the policy was replaced under.
func changed() *answer.Refusal {
	f := replacedNow.Refuse()
	f.RetryAt = time.Now()
	return f
}

// EndGrants closes the connections of grants that are not good any more, with the
// requests under way, and returns how many. It is called when others are revoked.
func (p *Proxy) EndGrants() (ended int) {
	now := p.current.Load()
	for _, who := range now.callers {
		ended += who.usage.end(func(s *slot) bool {
			held := s.told.Load().grant
			return held != nil && now.grants.Good(held, time.Now()) != nil
		})
	}
	return ended
}

// EndSpent closes the connections whose grant, token or certificate has ended by its time and
// that have no request under way, and returns how many. It is called now and then: what
// is under way comes to its end, and what begins later is refused in any case.
func (p *Proxy) EndSpent() (ended int) {
	now := time.Now()
	for _, who := range p.current.Load().callers {
		ended += who.usage.end(func(s *slot) bool {
			end := s.told.Load().expires()
			return !end.IsZero() && !now.Before(end) && s.idleSince.Load() != 0
		})
	}
	return ended
}
