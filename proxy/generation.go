package proxy

import "sync/atomic"

// generation is a Configuration in force, or that was while what still uses it began.
type generation struct {
	*state
	parts Configuration

	forward   *forwarder // to served hosts
	elsewhere *elsewhere // to others

	users atomic.Int64 // and one more while it is in force
}

// newGeneration is that of a Configuration after another, nil for the first.
func newGeneration(c Configuration, before *generation) *generation {
	var policy *state
	if before != nil {
		policy = before.state
	}
	g := &generation{
		state: newState(c.Policy, c.Hosts, policy), parts: c,
		forward: &forwarder{c.Upstream.served, c.Cache, c.ShareCache}, elsewhere: newElsewhere(ownPools{c.Upstream.elsewhere}),
	}
	g.users.Store(1)
	return g
}

// take counts one more user. It fails where there is none any more.
func (g *generation) take() bool {
	for n := g.users.Load(); n > 0; n = g.users.Load() {
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// leave counts one user less.
func (g *generation) leave() {
	if g.users.Add(-1) == 0 && g.parts.Replaced != nil {
		go g.parts.Replaced()
	}
}

// lease keeps a generation from being taken apart, for one request and its goroutine.
type lease struct {
	*generation
	released bool
}

// release may be called more than once.
func (l *lease) release() {
	if !l.released {
		l.released = true
		l.leave()
	}
}
