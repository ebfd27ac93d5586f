package cli

import (
	"context"
	"path/filepath"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/config"
	"ghapp-proxy/grant"
	"ghapp-proxy/panics"
)

// grantsDir is where root keys, and what is revoked, are kept.
func grantsDir(cfg *config.Config) string { return filepath.Join(cfg.StateDir, "grants") }

// openGrants are the root keys and what is revoked.
func openGrants(cfg *config.Config) *grant.Files {
	return grant.Open(grantsDir(cfg), cfg.GrantKeyFile)
}

// grantsState is what the admin listener tells of grants.
func (s *server) grantsState() admin.Grants {
	files := s.now.Load().grants
	return admin.Grants{Revoked: s.revoked.count(files), Problem: textOf(files.Err())}
}

// grantsTick is how often it is looked whether a grant was revoked, has ended, or a root
// key was made: on file systems that tell nothing of changes as well.
const grantsTick = 250 * time.Millisecond

// watchGrants puts in force what becomes of grants, until ctx ends.
func (s *server) watchGrants(ctx context.Context) {
	defer panics.Log(s.opts.log, "it is not noticed any more when a grant is revoked")
	tick := time.NewTicker(grantsTick)
	defer tick.Stop()
	files := s.now.Load().grants
	if len(s.clients().All()) > 0 {
		if err := files.MakeKey(); err != nil && files.Err() == nil {
			s.opts.log.Info("there is no root key for grants, and none can be made here", "error", err)
		}
	}
	if err := files.Err(); err != nil {
		s.opts.log.Error("no grant is good", "error", err)
	}
	s.revoked.tell(files)
	for {
		changed := false
		select {
		case <-tick.C:
			s.EndSpent()
		case <-s.revoked.changed():
			changed = true
		case <-ctx.Done():
			return
		}
		files := s.now.Load().grants
		if files.Refresh() {
			s.revoked.tell(files)
		} else if !changed {
			continue
		}
		if err := files.Err(); err != nil {
			s.opts.log.Error("no grant is good", "error", err)
		}
		if ended := s.EndGrants(); ended > 0 {
			s.opts.log.Info("connections ended with their grants", "connections", ended)
		}
	}
}
