package cli

import (
	"context"
	"log/slog"
)

// reportSaved says what GitHub's limits came to, and what was saved of them: a line of `run -v` for each that there is
// something to say of.
func (s *server) reportSaved(log *slog.Logger) {
	if !log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	if c := s.kept.Stats(); c.Hits+c.Validated+c.Shared > 0 {
		log.Info("summary of the cache", "hits", c.Hits, "validated", c.Validated, "shared", c.Shared, "misses", c.Misses, "bytes_saved", c.BytesSaved, "quota_saved", c.QuotaSaved)
	}
	for limit, n := range s.held.Stats().Waited {
		log.Info("summary of waits", "limit", limit, "count", n)
	}
	for limit, n := range s.held.Stats().Refused {
		log.Info("summary of refusals in GitHub's place", "limit", limit, "count", n)
	}
	stats := s.source().Stats()
	for i := range stats.Apps {
		for _, inst := range stats.Apps[i].Installations {
			for _, q := range inst.Quotas {
				log.Info("summary of the quota", "app", stats.Apps[i].Name, "installation", int64(inst.ID), "resource", q.Resource, "left", q.Remaining, "of", q.Limit)
			}
		}
	}
}
