package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/cache"
	"ghapp-proxy/config"
	"ghapp-proxy/event"
	"ghapp-proxy/governor"
	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
	"ghapp-proxy/panics"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/remember"
	"ghapp-proxy/shared"
)

// server is a proxy and what it is made of.
type server struct {
	*proxy.Proxy
	opts serverOptions
	now  atomic.Pointer[parts] // in force
	kept *cache.Cache          // of all configurations
	held *governor.Governor    // of all configurations

	revoked *revoked // at all replicas

	replacing sync.Mutex     // held while others are put in force
	retiring  sync.WaitGroup // those of before that are still needed
}

// serverOptions are what a server keeps for all of its life.
type serverOptions struct {
	admission  proxy.Admission
	form       proxy.Form           // that clients speak
	audit      *auditLog            // nil for none
	revoke     bool                 // the tokens at the end, where the configuration does not say
	cacheSize  int64                // in bytes, where the configuration does not say
	events     []func(*event.Event) // the proxy's Options.Events
	shared     *shared.Store        // nil for none
	remembered *remember.Store      // nil for none
	own        []net.Addr           // that this process listens on, which nobody reaches by it
	log        *slog.Logger
}

// parts are what one configuration comes to. Those that have not changed are the same
// as of the one before.
type parts struct {
	cfg      *config.Config
	cas      *authorities
	source   *auth.Source
	upstream *sharedUpstream
	grants   *grant.Files
	tokens   *oidc.Source                                // nil for none
	own      func(name string) (*tls.Certificate, error) // what the proxy shows to who speaks TLS to it
	revoke   bool                                        // the tokens of Apps that are gone, and all at the end
	through  string                                      // the proxy on the way to GitHub, for the log
}

// sharedUpstream is the way to GitHub for one or more parts; it is closed when none of
// them is needed any more.
type sharedUpstream struct {
	*proxy.Upstream
	through string
	users   atomic.Int64
}

func (u *sharedUpstream) leave() {
	if u.users.Add(-1) == 0 {
		u.Close()
	}
}

// newServer wires a proxy together. Call its stop.
func newServer(cfg *config.Config, cas *authorities, opts serverOptions) (*server, error) {
	s := &server{opts: opts, kept: cache.New(0), held: governor.New(cfg.Governor)}
	s.revoked = newRevoked(opts.shared)
	first, err := s.prepare(cfg, cas)
	if err != nil {
		return nil, err
	}
	first.source = auth.New(cfg.Apps, auth.Options{
		Transport: first.upstream.Transport(), Fallback: cfg.Fallback, Log: opts.log, UserAgent: userAgent, Governor: s.held,
		Shared: sharedBy(opts.shared, opts.remembered), SharedSecrets: cfg.Shared.Secrets,
	})
	s.Proxy = proxy.New(proxy.Options{
		Configuration: s.configuration(first), Admission: opts.admission, Form: opts.form, Log: opts.log, Events: opts.events, Revoked: s.revoked.ofPlaceholders(),
	})
	s.now.Store(first)
	first.source.Survey() // while nobody waits for it
	return s, nil
}

// source gives the credentials in force.
func (s *server) source() *auth.Source { return s.now.Load().source }

// authorities are those in force.
func (s *server) authorities() *authorities { return s.now.Load().cas }

// ownPair is the proxy's own certificate in force, where it is from files.
func (s *server) ownPair() *tls.Certificate { return s.now.Load().cfg.TLS.Certificate }

// clients are those in force.
func (s *server) clients() *policy.Set { return s.now.Load().cfg.Clients }

// prepare makes what may fail of the parts of a configuration. There is nothing to
// close if they are not put in force.
func (s *server) prepare(cfg *config.Config, cas *authorities) (*parts, error) {
	next := &parts{cfg: cfg, cas: cas, revoke: s.opts.revoke}
	if cfg.RevokeOnExit != nil {
		next.revoke = *cfg.RevokeOnExit
	}
	if now := s.now.Load(); now != nil && reflect.DeepEqual(now.cfg.Upstream, cfg.Upstream) && reflect.DeepEqual(now.cfg.Egress, cfg.Egress) {
		next.upstream = now.upstream
	} else {
		upstream, way, err := connect(cfg, s.opts.own...)
		if err != nil {
			return nil, err
		}
		next.upstream = &sharedUpstream{Upstream: upstream, through: describeNext(cfg, way)}
	}
	next.through = next.upstream.through
	next.own = ownCertificate(cfg, cas)
	if now := s.now.Load(); now != nil && len(cfg.TLS.Names) == 0 && cfg.TLS.Certificate == nil {
		next.own = now.own // until the restart by which nobody needs it any more
	}
	next.grants = openGrants(cfg)
	return next, s.prepareTokens(next)
}

// configuration is that of parts, which are needed from now on.
func (s *server) configuration(p *parts) proxy.Configuration {
	p.upstream.users.Add(1)
	s.kept.Resize(s.cacheSize(p.cfg))
	s.held.Set(p.cfg.Governor)
	c := proxy.Configuration{
		Policy: policyOf(p.cfg, &grant.Source{Keys: p.grants, Revoked: s.revoked.besides(p.grants)}, p.tokens), Hosts: servedHosts(p.cfg), Credentials: p.source,
		Certificate: p.cas.certificate, OwnCertificate: p.own, TicketSecret: p.cas.secret("TLS session tickets"), CAPEM: p.cas.pem(), Upstream: p.upstream.Upstream, Cache: s.kept, ShareCache: p.cfg.Cache.Shared,
		PlainHTTP: p.cfg.PlainHTTP, WithoutRelay: p.cfg.WithoutRelay, AuditRequired: p.cfg.AuditRequired,
		Replaced: func() { s.retire(p) },
	}
	if s.opts.audit != nil && p.cfg.AuditLog != "" {
		c.Audit = s.opts.audit
	}
	return c
}

// cacheSize is how much memory answers may take by a configuration, in bytes.
func (s *server) cacheSize(cfg *config.Config) int64 {
	if cfg.Cache.Size != nil {
		return *cfg.Cache.Size
	}
	return s.opts.cacheSize
}

// replace puts parts that were prepared in force, and returns how many connections
// that ended.
func (s *server) replace(next *parts) (ended int) {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	s.retiring.Add(1) // those of now
	next.source = s.source().Next(next.cfg.Apps, next.upstream.Transport(), next.cfg.Fallback)
	s.now.Store(next)
	ended = s.Proxy.Replace(s.configuration(next))
	next.source.Survey()
	return ended
}

// retire gives parts back that no request uses any more. Tokens of Apps that are
// gone are forgotten.
func (s *server) retire(old *parts) {
	defer s.retiring.Done()
	defer panics.Log(s.opts.log, "something of the configuration before is kept")
	defer old.upstream.leave()
	ctx, cancel := context.WithTimeout(context.Background(), revokeTime)
	defer cancel()
	if err := s.source().DropOthers(ctx, old.revoke); err != nil {
		s.opts.log.Warn("a token of an App that is gone could not be revoked", "error", err)
	}
}

// stop ends the server: what is under way may finish for a time. Then last is
// called, while GitHub can be asked. Revoking has a time of its own. Nothing takes
// longer than until ctx ends.
func (s *server) stop(ctx context.Context, grace time.Duration, last func()) error {
	within, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := s.Shutdown(within)
	last()
	s.awaitRetired(ctx)
	now := s.now.Load()
	now.source.Close()
	if now.revoke {
		within, cancel := context.WithTimeout(ctx, revokeTime)
		defer cancel()
		err = errors.Join(err, now.source.Revoke(within))
	}
	now.upstream.leave()
	return err
}

// awaitRetired waits for what is done about configurations of before.
func (s *server) awaitRetired(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.retiring.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(revokeTime):
	case <-ctx.Done():
	}
}
