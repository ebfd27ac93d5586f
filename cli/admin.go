package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/panics"
)

const (
	// probeEvery is how often it is seen to that there was contact with GitHub of late.
	probeEvery = 20 * time.Second
	// probeAge is how old what GitHub said may be. A question as the App costs none
	// of an installation's quota.
	probeAge = time.Minute
)

// listenAdmin opens the admin listener; nil if there is none.
func listenAdmin(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	if cfg.Admin.Listen == "" {
		return nil, nil
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
	source *auth.Source
	reload func() ReloadState
}

// state is the admin.Options' State.
func (w *watched) state() admin.State {
	stats, reload := w.source.Stats(), w.reload()
	state := admin.State{
		Draining: reload.Draining,
		Reload:   admin.Reload{Read: reload.Generation, Since: reload.Since, Failures: reload.Failures, Problem: textOf(reload.Err), Restart: reload.Restart},
	}
	for _, app := range stats.Apps {
		a := admin.App{Name: app.Name, Host: app.Host, Checked: app.Checked}
		if app.Problem != nil {
			a.Problem, a.Remedy = app.Problem.Error(), app.Problem.Remedy
		}
		state.Apps = append(state.Apps, a)
	}
	for _, instance := range stats.Instances {
		g := admin.GitHub{Host: instance.Host, Reached: instance.Reached, Missed: instance.Missed}
		if instance.Problem != nil {
			g.Problem = instance.Problem.Error()
		}
		state.GitHubs = append(state.GitHubs, g)
	}
	return state
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// serveAdmin answers on ln, and keeps contact with GitHub, until ctx ends.
func serveAdmin(ctx context.Context, ln net.Listener, cfg *config.Config, w *watched, log *slog.Logger) {
	s := admin.New(admin.Options{State: w.state, Hosts: cfg.Admin.Hosts, Log: log})
	context.AfterFunc(ctx, func() { s.Close() })
	go w.keepContact(ctx, log)
	log.Info("says how it is", "address", ln.Addr().String())
	if err := s.Serve(ln); err != nil && !errors.Is(err, net.ErrClosed) { // at the end ln may be closed before s
		log.Error("the admin listener ended", "error", err)
	}
}

// keepContact sees to it that what is said of GitHub and of the Apps is new, however
// little the clients ask.
func (w *watched) keepContact(ctx context.Context, log *slog.Logger) {
	defer panics.Log(log, "GitHub is not probed any more")
	again := time.NewTicker(probeEvery)
	defer again.Stop()
	for {
		w.source.Probe(ctx, probeAge)
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}
