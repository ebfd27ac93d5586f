package proxy

import (
	"context"
	"net/http"
	"time"

	"ghapp-proxy/answer"
)

// Replace puts another Policy in force, and returns how many connections that
// ended. Requests under way finish by the one before; the next of a connection
// meets the new one. Closed at once, with the requests under way, are the
// connections of a client that is gone, that is told otherwise now, or that
// something was withdrawn from. Limits are replaced in place: what is used
// counts on. Replace may be called at any time, by one goroutine at a time.
func (p *Proxy) Replace(next Policy) (ended int) {
	before := p.current.Load()
	now := newState(next, before)
	p.current.Store(now)
	if before == nil {
		return 0
	}
	for name, old := range before.callers {
		who, configured := now.callers[name]
		why, ends := "", func(s *slot) bool { return true }
		switch {
		case !configured:
			why = "the client is not configured any more"
		case old.client != nil && who.client.Withdraws(old.client):
			why = "something is not granted to the client any more"
		default:
			why, ends = "the connection is not the client's any more", func(s *slot) bool { return !p.isStill(s, now) }
		}
		if n := old.usage.end(ends); n > 0 {
			p.opts.Log.Info("connections ended with the policy of before", "client", name, "reason", why, "connections", n)
			ended += n
		}
	}
	return ended
}

// count counts a connection for the caller, until its release.
func (p *Proxy) count(ctx context.Context, by evidence, c *caller) *answer.Refusal {
	s, refused := c.usage.open(ctx, c.identity(by), p.opts.Patience)
	if refused != nil {
		return refused
	}
	if !p.isStill(s, p.current.Load()) { // Replace may have come before it was counted
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
	client, refused := p.clientOf(now, told.evidence)
	if refused != nil || now.callers[nameOf(client)].usage != s.usage {
		return false
	}
	s.told.CompareAndSwap(told, &identity{now, told.evidence})
	return true
}

// again is the caller of a connection by the policy in force, for its next
// request.
func (p *Proxy) again(c caller) (caller, *answer.Refusal) {
	now := p.current.Load()
	if c.now == now {
		return c, nil
	}
	if !p.isStill(c.slot, now) {
		return c, changed()
	}
	who := now.callers[c.usage.name]
	who.slot = c.slot
	return who, nil
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
