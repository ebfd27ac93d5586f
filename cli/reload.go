package cli

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/panics"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// policyOf is what of a configuration can be replaced while the proxy runs.
func policyOf(cfg *config.Config) proxy.Policy {
	return proxy.Policy{Rules: ruleSet(cfg), DefaultOwner: cfg.DefaultOwner, Clients: cfg.Clients, Anonymous: cfg.AllowAnonymous, Origins: cfg.Origins}
}

// reloader reads the configuration again when it is told to.
type reloader struct {
	load  func(context.Context) (*config.Config, error)
	addr  net.Addr // that the proxy listens on
	proxy *proxy.Proxy
	audit io.Writer
	log   *slog.Logger
	state reloadState

	mu  sync.Mutex
	cfg *config.Config // in force
}

// run reloads at each signal until ctx ends. One reload that is slow holds up
// neither the next, which takes its place, nor the end.
func (l *reloader) run(ctx context.Context, signals <-chan os.Signal) {
	last := func() {}
	for {
		select {
		case <-ctx.Done():
			last()
			return
		case <-signals:
			last()
			var reload context.Context
			reload, last = context.WithCancel(ctx)
			go l.reload(reload)
		}
	}
}

// reload opens the audit log anew, and puts into force what can be of the
// configuration; one with faults changes nothing, nor does one whose ctx has
// ended.
func (l *reloader) reload(ctx context.Context) {
	defer panics.Log(l.log, "the configuration before stays in force")
	if file, ok := l.audit.(*auditFile); ok {
		if err := file.reopen(); err != nil {
			l.log.Error("the audit log goes on in the old file", "error", err)
		}
	}
	cfg, err := l.load(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = checkExposure(cfg, l.addr.String(), isLoopback(l.addr))
	}
	if err != nil {
		l.state.failed(err)
		l.log.Error("the configuration has faults: the one before stays in force", "error", err)
		return
	}
	for _, warning := range cfg.Warnings {
		l.log.Warn(warning)
	}
	keys := needRestart(l.cfg, cfg)
	if len(keys) > 0 {
		l.log.Warn("some changes need a restart of the proxy", "keys", keys)
	}
	ended := l.proxy.Replace(policyOf(cfg))
	l.cfg.Clients, l.cfg.ShutdownDelay, l.cfg.ShutdownGrace = cfg.Clients, cfg.ShutdownDelay, cfg.ShutdownGrace
	l.state.succeeded(keys)
	l.log.Info("read the configuration again", "clients", len(cfg.Clients.All()), "rules", len(cfg.Rules), "connections_ended", ended)
}

// times are shutdown_delay and shutdown_grace, as in force.
func (l *reloader) times() (delay, grace time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cfg.ShutdownDelay, l.cfg.ShutdownGrace
}

// clients are those in force.
func (l *reloader) clients() *policy.Set {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cfg.Clients
}

// needRestart names the keys that have changed but are not replaced.
func needRestart(old, now *config.Config) (keys []string) {
	for _, part := range []struct {
		key      string
		old, now any
	}{
		{"listen", old.Listen, now.Listen},
		{"state_dir", old.StateDir, now.StateDir},
		{"plain_http", old.PlainHTTP, now.PlainHTTP},
		{"fallback", old.Fallback, now.Fallback},
		{"audit_log", old.AuditLog, now.AuditLog},
		{"audit_required", old.AuditRequired, now.AuditRequired},
		{"app", appsOf(old), appsOf(now)},
		{"ca", old.CA, now.CA},
		{"upstream", old.Upstream, now.Upstream},
		{"egress", old.Egress, now.Egress},
		{"client.*.listen", listensOf(old), listensOf(now)},
	} {
		if !reflect.DeepEqual(part.old, part.now) {
			keys = append(keys, part.key)
		}
	}
	return keys
}

// appsOf are the Apps without their keys and secrets, which the Apps read again
// by themselves or cannot be compared.
func appsOf(cfg *config.Config) (apps []auth.App) {
	for _, app := range cfg.Apps {
		plain := *app
		plain.Signers, plain.ClientSecret = nil, ""
		apps = append(apps, plain)
	}
	return apps
}

// listensOf are the clients with listeners of their own.
func listensOf(cfg *config.Config) (listens []string) {
	for _, c := range cfg.Clients.All() {
		if c.Listen != "" {
			listens = append(listens, c.Name+" "+c.Listen)
		}
	}
	slices.Sort(listens)
	return listens
}
