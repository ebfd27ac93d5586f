package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"ghapp-proxy/config"
	"ghapp-proxy/event"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/remember"
	"ghapp-proxy/shared"

	"github.com/spf13/cobra"
)

func newServe(s *settings) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy",
		Long: `Run the proxy until it is interrupted. What is under way may finish for as long as
shutdown_grace says; if something had to be cut off, the exit status is 1. A second
signal cuts it off at once.

Under systemd, Type=notify-reload and WatchdogSec= work. Sockets of a socket unit are
taken in place of what the configuration says: one with FileDescriptorName=client.NAME
for a client with a listener of its own, and the first other one for the proxy.

Clients set HTTPS_PROXY to its address and trust the certificate that
"ghapp-proxy ca" prints and http://PROXY/ca.pem serves; "ghapp-proxy env" says how. With https:// or
http+https:// before the address they speak TLS to it (see [tls] and docs/tls.md).

It reads its configuration again when that changes, or a file that it names (not with
watch = false), on SIGHUP, which opens the audit log anew as well, and when
"ghapp-proxy reload" asks. All takes effect but what it listens on, which is by listen,
client.NAME.listen, [admin], [transparent], [shared] and remember: these need a restart. No connection is closed that is
still allowed, and a configuration with faults changes nothing.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := s.logger(cmd.ErrOrStderr(), slog.LevelInfo)
			if err != nil {
				return &statusError{exitConfig, err}
			}
			load := func(ctx context.Context, src config.Source) (*config.Config, error) {
				src.Listen, src.Log = listen, log
				cfg, err := s.load(ctx, src)
				if err != nil {
					return nil, err
				}
				cfg.Egress = servedEgress(cfg)
				return cfg, nil
			}
			return serve(cmd.Context(), load, s.manager, log)
		},
	}
	cmd.Flags().StringVarP(&listen, "listen", "l", "", "`address` to listen on, with https:// or http+https:// before it for TLS, instead of the configured one (default "+config.DefaultListen+")")
	return cmd
}

// servedEgress is the egress policy of `serve`. Its clients may be on other
// machines or in containers, so that even without [egress] it does not take
// them to private addresses. The command of `run` is on this machine's network
// anyway.
func servedEgress(cfg *config.Config) *policy.Egress { return cmp.Or(cfg.Egress, &policy.Egress{}) }

// servedCache is how much memory answers may take with `serve`, in bytes, where the configuration does
// not say. Of what one command asks, little is asked again.
const servedCache = 64 << 20

// serve runs the proxy until ctx ends.
func serve(ctx context.Context, load func(context.Context, config.Source) (*config.Config, error), by *manager, log *slog.Logger) error {
	hup := make(chan os.Signal, 1) // from now on it does not end the process
	signal.Notify(hup, reloadSignals...)
	defer signal.Stop(hup)
	hurry, done := secondSignal()
	defer done()
	reading := new(config.Reading)
	again := func(ctx context.Context) (*config.Config, error) { return load(ctx, config.Source{Reading: reading}) }
	cfg, err := again(ctx)
	if err != nil {
		return err
	}
	asRead := fingerprintOf(reading.Files())
	for _, warning := range cfg.Warnings {
		log.Warn(warning)
	}
	o, err := openAll(ctx, cfg, by, log)
	if err != nil {
		return err
	}
	defer o.close()
	watching := &watched{log: log, shared: o.shared}
	var events []func(*event.Event)
	if o.says != nil {
		events = watching.events()
	}
	srv, err := newServer(cfg, o.cas, serverOptions{admission: proxy.Admission{SameUser: true}, form: formOf(cfg.Form), audit: o.audit, cacheSize: servedCache, events: events, own: o.addresses(), shared: o.shared, remembered: o.remembered, log: log})
	if err != nil {
		return err
	}
	log.Info("listening", "address", o.ln.Addr().String(), "form", cfg.Form, "apps", appNames(cfg), "clients", len(cfg.Clients.All()), "ca", caDir(cfg), "upstream_proxy", srv.now.Load().through)

	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(o.ln, o.own...) }()
	o.led.resolve(srv.Leads, log)
	life, stopReloads := context.WithCancel(ctx)
	reloader := &reloader{load: again, reading: reading, start: cfg, addr: o.ln.Addr(), server: srv, audit: o.audit, by: by, log: log, asRead: asRead}
	go reloader.run(life, hup)
	defer reloader.close()
	go watchExpiry(life, srv.authorities, srv.ownPair, log)
	go o.cas.prepare(log)
	go srv.watchGrants(life)
	if o.remembered != nil {
		go o.remembered.Run(life)
		defer o.remembered.Save() // after all else has ended
	}
	if o.shared != nil {
		go srv.ShareLimits(life, o.shared)
		go srv.source().ShareUse(life)
	}
	if o.says != nil {
		saying, stopSaying := context.WithCancel(context.Background())
		defer stopSaying() // it says that the end has begun
		watching.server, watching.reload = srv, reloader.state.get
		go watching.serve(saying, o.says)
	}
	by.ready(statusOf(cfg))
	go by.answerWatchdog(life, o.ln.Addr(), cfg.Form, log)
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stopReloads() // one under way has no effect any more
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, (&ending{srv: srv, state: &reloader.state, by: by, hurry: hurry, log: log}).run(reloader.times()))
}

// opened is what `serve` needs of the machine: all that can keep it from starting.
type opened struct {
	cas   *authorities
	audit *auditLog
	ln    net.Listener      // nil before it listens
	own   []*proxy.Listener // of clients
	says  net.Listener      // of the admin listener, nil for none
	led   *led              // of clients that do not know of a proxy, nil for none

	shared     *shared.Store   // nil for none
	remembered *remember.Store // nil for none
}

// openAll opens what a configuration names.
func openAll(ctx context.Context, cfg *config.Config, by *manager, log *slog.Logger) (_ *opened, err error) {
	if err := examine(ctx, cfg); err != nil {
		return nil, &statusError{exitConfig, err}
	}
	o := new(opened)
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if o.cas, err = openAuthorities(cfg, onDisk(cfg)); err != nil {
		return nil, &statusError{exitConfig, err}
	}
	if o.audit, err = openAudit(cfg); err != nil {
		return nil, &statusError{exitConfig, err}
	}
	if o.shared, err = openShared(cfg, log); err != nil {
		return nil, &statusError{exitConfig, err}
	}
	o.remembered = openRemembered(cfg, log)
	sockets, err := by.sockets()
	if err != nil {
		return nil, &statusError{exitConfig, err}
	}
	if o.ln, o.own, err = listenAll(ctx, cfg, sockets); err != nil {
		sockets.close()
		return nil, err
	}
	if o.says, err = listenAdmin(ctx, cfg, sockets); err == nil {
		o.led, err = listenLed(ctx, cfg, sockets)
	}
	if o.led != nil {
		o.own = append(o.own, o.led.Listener)
	}
	sockets.warnOfRest(log)
	return o, err
}

// close closes what is open. Whoever serves closes listeners, too.
func (o *opened) close() {
	if o.says != nil {
		o.says.Close()
	}
	o.led.close()
	if o.ln != nil {
		closeAll(o.ln, o.own)
	}
	if o.audit != nil {
		o.audit.Close()
	}
	if o.shared != nil {
		o.shared.Close()
	}
}

// addresses are those that are listened on.
func (o *opened) addresses() []net.Addr {
	list := addresses(o.ln, o.own)
	if o.says != nil {
		list = append(list, o.says.Addr())
	}
	if o.led != nil && o.led.tcp != nil {
		list = append(list, o.led.tcp.Addr())
	}
	return list
}

// statusOf is what the service manager shows.
func statusOf(cfg *config.Config) string {
	return fmt.Sprintf("Serving %d Apps and %d clients", len(cfg.Apps), len(cfg.Clients.All()))
}

// listenAll opens the configured address, if it is safe to, and those of the
// clients, unless the service manager has.
func listenAll(ctx context.Context, cfg *config.Config, open *sockets) (ln net.Listener, own []*proxy.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(ln, own)
		}
	}()
	for _, c := range cfg.Clients.All() {
		if c.Listen == "" {
			continue
		}
		theirs := open.take(clientSocket+c.Name, c.Listen)
		if theirs == nil {
			theirs, err = listenFor(ctx, c)
		}
		if err != nil {
			return nil, own, fmt.Errorf("%w: choose another address for client.%s.listen", err, c.Name)
		}
		own = append(own, &proxy.Listener{Listener: theirs, Client: c.Name, Address: c.Listen})
	}
	if ln = open.takeMain(cfg.Listen); ln == nil {
		ln, err = listen(ctx, "tcp", cfg.Listen)
	}
	if err != nil {
		return nil, own, fmt.Errorf("%w: choose another address with --listen or the listen key", err)
	}
	if err := checkExposure(cfg, "listen", ln.Addr().String(), isLoopback(ln.Addr())); err != nil {
		return ln, own, &statusError{exitConfig, err}
	}
	return ln, own, nil
}

// checkExposure refuses a configuration that would serve whoever can reach an
// address over a network, unless it says so.
func checkExposure(cfg *config.Config, key, addr string, loopback bool) error {
	if cfg.AllowAnonymous || len(cfg.Clients.All()) > 0 || loopback {
		return nil
	}
	return fmt.Errorf(
		"%s = %q is not a loopback address, so anybody who can reach it could use the App's credentials: listen on 127.0.0.1, configure clients, or set allow_anonymous = true", key, addr)
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// listenFor opens the listener of a client's own. Whoever may connect to a
// socket is checked when it does, so its file is open to all.
func listenFor(ctx context.Context, c *policy.Client) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(c.Listen, "unix:")
	if !isUnix {
		return listen(ctx, "tcp", c.Listen)
	}
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	return listenSocket(ctx, path)
}

// removeSocket removes what a proxy that was killed has left behind: a socket
// on which nobody listens.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil // nothing, or nothing of ours, which listening reports
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("somebody listens on %s", path)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return nil
}

// listen listens on an address. For 0.0.0.0 net takes [::], which has all of IPv6
// as well.
func listen(ctx context.Context, network, address string) (net.Listener, error) {
	if at, err := netip.ParseAddrPort(address); err == nil && network == "tcp" && at.Addr().Is4() {
		network = "tcp4"
	}
	return new(net.ListenConfig).Listen(ctx, network, address)
}

func addresses(ln net.Listener, own []*proxy.Listener) []net.Addr {
	list := []net.Addr{ln.Addr()}
	for _, l := range own {
		list = append(list, l.Addr())
	}
	return list
}

func closeAll(ln net.Listener, own []*proxy.Listener) {
	if ln != nil {
		ln.Close()
	}
	for _, l := range own {
		l.Close()
	}
}

func appNames(cfg *config.Config) (names []string) {
	for _, app := range cfg.Apps {
		names = append(names, app.Name)
	}
	return names
}
