package auth

import (
	"context"
	"time"

	"ghapp-proxy/panics"
)

// ShareUse tells other replicas what this one uses of GitHub's limits, until ctx ends. Nobody waits for that.
func (s *Source) ShareUse(ctx context.Context) {
	defer panics.Log(s.log, "what is used of GitHub's limits is not shared any more")
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tellUse(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// tellUse does so once.
func (c *core) tellUse(ctx context.Context) {
	c.governor.SetReplicas(c.peers.count())
	greets := c.peers.greets()
	for _, app := range *c.callers.Load() {
		used := app.quotas.untold()
		for len(used) > maxTold {
			app.tellUse(ctx, c.peers, used[:maxTold])
			used = used[maxTold:]
		}
		if len(used) > 0 || greets {
			app.tellUse(ctx, c.peers, used)
			greets = false // one is enough
		}
	}
}
