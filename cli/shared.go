package cli

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"

	"ghapp-proxy/admin"
	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/remember"
	"ghapp-proxy/shared"
)

// openShared opens what replicas share, nil for nothing. It need not be there.
func openShared(cfg *config.Config, log *slog.Logger) (*shared.Store, error) {
	if cfg.Shared.URL == "" {
		return nil, nil
	}
	roots, err := rootCAs(cfg.Shared.RootsPEM)
	if err != nil {
		return nil, err
	}
	return shared.Open(shared.Options{
		URL: string(cfg.Shared.URL), Roots: roots, Prefix: cfg.Shared.Prefix, Patience: cfg.Shared.Patience, Timeout: cfg.Shared.Timeout, Log: log,
	})
}

// openRemembered opens what was learned before a restart, nil where nothing is kept.
func openRemembered(cfg *config.Config, log *slog.Logger) *remember.Store {
	if !cfg.Remember {
		return nil
	}
	return remember.Open(filepath.Join(cfg.StateDir, remember.Name), log)
}

// sharedBy is what a Source shares, with others or with who comes after it: nil, rather than a Store that is nil.
func sharedBy(s *shared.Store, r *remember.Store) auth.Shared {
	switch {
	case s != nil:
		return s
	case r != nil:
		return r
	}
	return nil
}

// sharedState is how what is shared is.
func sharedState(s *shared.Store) *admin.Shared {
	if s == nil {
		return nil
	}
	st := s.Stats()
	return &admin.Shared{
		Away: st.Away, Since: st.Since, Problem: textOf(st.Fault), Downs: st.Downs, Values: st.Values, Leases: st.Leases,
		Alone: st.Alone, Slow: st.Slow, Lost: st.Lost, Dropped: st.Dropped,
	}
}

// groupShared is the title of what is found about the store of [shared].
const groupShared = "What replicas share"

// checkShared says whether the store of [shared] can be used as it is by serve.
func (x *examination) checkShared(ctx context.Context) []finding {
	store, err := openShared(x.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return []finding{bad("", "[shared]", "%v", err)}
	}
	defer store.Close()
	var said string
	err = x.ask(ctx, func(ctx context.Context) (err error) {
		said, err = store.Test(ctx)
		return err
	})
	if err != nil {
		return []finding{bad("check url, and that the user may do what the ACL in docs/replicas.md allows, on names and channels that begin with prefix",
			"[shared]", "the store cannot be used: %v", err)}
	}
	list := []finding{good("", "the store answers: %s", said)}
	if url := string(x.cfg.Shared.URL); strings.HasPrefix(url, "redis://") && !strings.Contains(url, "127.0.0.1") && !strings.Contains(url, "localhost") {
		list = append(list, dubious("take rediss:// where others can read the network", "shared.url", "what is said to the store, its password among it, is not encrypted"))
	}
	return list
}
