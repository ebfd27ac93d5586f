package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/auth"
	"ghapp-proxy/cache"
	"ghapp-proxy/config"
	"ghapp-proxy/event"
	"ghapp-proxy/grant"
	"ghapp-proxy/panics"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/shared"
)

const (
	// probeEvery is how often it is seen to that there was contact with GitHub of late.
	probeEvery = 20 * time.Second
	// probeAge is how old what GitHub said may be. A question as the App costs none
	// of an installation's quota.
	probeAge = time.Minute
)

// listenAdmin opens the admin listener, unless the service manager has; nil if there is
// none.
func listenAdmin(ctx context.Context, cfg *config.Config, open *sockets) (net.Listener, error) {
	if cfg.Admin.Listen == "" {
		return nil, nil
	}
	if ln := open.take(adminSocket, cfg.Admin.Listen); ln != nil {
		return ln, nil
	}
	ln, err := openAdmin(ctx, cfg.Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another address for admin.listen", err)
	}
	return ln, nil
}

func openAdmin(ctx context.Context, address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return listen(ctx, "tcp", address)
	}
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	return listenPrivate(ctx, path)
}

// watched is what the admin listener tells of.
type watched struct {
	server *server
	shared *shared.Store // nil for none
	reload func() ReloadState
	log    *slog.Logger

	metrics *admin.Metrics
	recent  *admin.Recent
}

// events are the proxy's Options.Events. What else it tells of is filled in later.
func (w *watched) events() []func(*event.Event) {
	w.metrics, w.recent = admin.NewMetrics(w.state, version()), admin.NewRecent()
	return []func(*event.Event){w.metrics.Count, w.recent.Count}
}

// state is the admin.Options' State.
func (w *watched) state() admin.State {
	stats, reload, doing := w.server.source().Stats(), w.reload(), w.server.Stats()
	state := admin.State{
		Draining: reload.Draining, Requests: doing.Requests, Tunnels: doing.Tunnels, RecordsLost: doing.RecordsLost,
		LinesLeft: linesLeftOut(w.log),
		Reload:    admin.Reload{Read: reload.Generation, Since: reload.Since, Failures: reload.Failures, Problem: textOf(reload.Err), Restart: reload.Restart},
		Cache:     cacheState(w.server.kept.Stats()), Shared: sharedState(w.shared), Governor: admin.Governor(w.server.held.Stats()),
		Authorities: w.server.authorities().state(), Clients: clientsState(w.server.clients(), doing.Clients),
		Grants: w.server.grantsState(),
	}
	for i := range stats.Apps {
		state.Apps = append(state.Apps, appState(&stats.Apps[i]))
	}
	for _, instance := range stats.Instances {
		g := admin.GitHub{Host: instance.Host, Reached: instance.Reached, Missed: instance.Missed, Offset: instance.Offset}
		if instance.Problem != nil {
			g.Problem = instance.Problem.Error()
		}
		state.GitHubs = append(state.GitHubs, g)
	}
	return state
}

func cacheState(s cache.Stats) admin.Cache {
	return admin.Cache{
		Size: s.Size, Used: s.Used, Answers: s.Answers, Quiet: s.Quiet,
		Hits: s.Hits, Validated: s.Validated, Shared: s.Shared, Misses: s.Misses, Evicted: s.Evicted, Recalled: s.Recalled, BytesSaved: s.BytesSaved, QuotaSaved: s.QuotaSaved,
	}
}

func appState(app *auth.AppStats) admin.App {
	a := admin.App{
		Name: app.Name, Host: app.Host, Checked: app.Checked,
		Mints: app.Mints, LookUps: app.LookUps, Retries: app.Retries, Heals: app.Heals, Tokens: app.Tokens,
	}
	if app.Problem != nil {
		a.Problem, a.Remedy = app.Problem.Error(), app.Problem.Remedy
	}
	for _, wrong := range app.Wrong {
		a.Wrong = append(a.Wrong, admin.Fault{Problem: wrong.Error(), Remedy: wrong.Remedy()})
	}
	for _, inst := range app.Installations {
		i := admin.Installation{ID: int64(inst.ID), Account: inst.Account, Tokens: inst.Tokens, Minted: inst.Minted, Expires: inst.Expires}
		for _, q := range inst.Quotas {
			i.Quotas = append(i.Quotas, admin.Quota(q))
		}
		i.Waiting, i.Why, i.Paused = inst.Held.Waiting, inst.Held.Why, inst.Held.Paused
		for _, u := range inst.Held.Used {
			i.Used = append(i.Used, admin.Used(u))
		}
		a.Installations = append(a.Installations, i)
	}
	return a
}

// state says until when the CAs are good.
func (a *authorities) state() (list []admin.Authority) {
	for _, ca := range a.all {
		authority := admin.Authority{Name: strings.Join(ca.Hosts(), " "), Expires: ca.Expires()}
		if fault := ca.Expiring(); fault != nil {
			authority.Problem, authority.Remedy = fault.Reason.Error(), fault.Hint
		}
		list = append(list, authority)
	}
	return list
}

// clientsState are the clients in the order of the configuration, and who is none.
func clientsState(set *policy.Set, doing []proxy.ClientStats) (list []admin.Client) {
	use := make(map[string]proxy.ClientStats)
	for _, c := range doing {
		use[c.Client] = c
	}
	add := func(name, may string) {
		u := use[name]
		list = append(list, admin.Client{Name: name, May: may, Connections: u.Connections, Requests: u.Requests, Waiting: u.Waiting})
	}
	for _, c := range set.All() {
		add(c.Name, c.Summary())
	}
	if _, anybody := use[""]; anybody {
		add("", "")
	}
	return list
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// isRevoked is the admin.Options' Revoked.
func (w *watched) isRevoked(path []string) bool {
	var ids []grant.ID
	for _, text := range path {
		id, err := grant.ParseID(text)
		if err != nil {
			return false
		}
		ids = append(ids, id)
	}
	_, is, _ := w.server.revoked.besides(w.server.now.Load().grants).Revoked(ids) // where nobody can tell, the page says so
	return is
}

// explain is the admin.Options' Explain: by what is in force.
func (w *watched) explain(client, method, url string) (string, error) {
	e, err := explainerOf(w.server.now.Load().cfg, client)
	if err != nil {
		return "", err
	}
	e.source = w.server.source() // which knows more than the configuration
	a, err := e.explain(cmp.Or(method, http.MethodGet), url, "")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = writeText(&text, a)
	return text.String(), err
}

// serve answers on ln, and keeps contact with GitHub, until ctx ends.
func (w *watched) serve(ctx context.Context, ln net.Listener) {
	s := admin.New(admin.Options{
		State: w.state, Hosts: w.server.now.Load().cfg.Admin.Hosts, Metrics: w.metrics, Recent: w.recent, Revoked: w.isRevoked, Explain: w.explain, Version: version(), Log: w.log,
	})
	context.AfterFunc(ctx, func() { s.Close() })
	go w.keepContact(ctx)
	w.log.Info("says how it is", "address", ln.Addr().String())
	if err := s.Serve(ln); err != nil && !errors.Is(err, net.ErrClosed) { // at the end ln may be closed before s
		w.log.Error("the admin listener ended", "error", err)
	}
}

// keepContact sees to it that what is said of GitHub and of the Apps is new, however
// little the clients ask.
func (w *watched) keepContact(ctx context.Context) {
	defer panics.Log(w.log, "GitHub is not probed any more")
	again := time.NewTicker(probeEvery)
	defer again.Stop()
	for {
		w.server.source().Probe(ctx, probeAge)
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}
