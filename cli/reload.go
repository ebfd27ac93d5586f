package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/certs"
	"ghapp-proxy/config"
)

// reloader reads the configuration again when it is told to, or notices that it should.
type reloader struct {
	load    func(context.Context) (*config.Config, error)
	reading *config.Reading // of load
	addr    net.Addr        // that the proxy listens on
	start   *config.Config  // what the listeners are by
	server  *server
	audit   *auditLog
	control *control
	by      *manager
	log     *slog.Logger
	state   reloadState
	life    context.Context // of what it starts
	asRead  fingerprint     // of the files that reading has named, at the start
	again   chan struct{}   // receives when the files may be others

	reloading sync.Mutex // one at a time puts something in force
	mu        sync.Mutex
	loaded    fingerprint // of the files when they were read
}

// run reloads at each signal, each time that files have changed, and for who asks at the
// control socket, until ctx ends. One reload that is slow holds up neither the next,
// which takes its place, nor the end.
func (l *reloader) run(ctx context.Context, signals <-chan os.Signal) {
	changed, asked := make(chan struct{}), make(chan chan<- error)
	l.begin(ctx, changed, asked)
	now := &attempt{end: func() {}}
	start := func(reload func(context.Context) error, tell func(error)) {
		now = now.replace(ctx, l.log, reload, tell)
	}
	for {
		select {
		case <-ctx.Done():
			now.end()
			return
		case <-signals:
			start(l.reload, func(error) {})
		case <-changed:
			start(l.reloadSettled, func(error) {})
		case answer := <-asked:
			start(l.reload, func(err error) { answer <- err })
		}
	}
}

// begin begins to watch the files, and to listen at the control socket.
func (l *reloader) begin(ctx context.Context, changed chan<- struct{}, asked chan chan<- error) {
	l.life, l.again = ctx, make(chan struct{}, 1)
	if print, ok := printIf(l.asRead, l.reading.Files, l.files); ok { // else they were changed since
		l.note(print)
	}
	l.state.succeeded(nil)
	w := &watcher{files: l.files, known: l.isLoaded, again: l.again, log: l.log, settle: watchSettle, poll: watchPoll, net: watchNet}
	go w.watch(ctx, changed)
	l.reloading.Lock()
	defer l.reloading.Unlock()
	l.control = &control{asked: asked, state: &l.state, log: l.log}
	l.control.move(ctx, controlPath(l.start))
}

// close closes the control socket.
func (l *reloader) close() {
	l.reloading.Lock()
	defer l.reloading.Unlock()
	if l.control != nil {
		l.control.close()
	}
}

// settleTime is how long files must stay as they are that were changed, before what is
// wrong with them is taken for what somebody has meant.
const settleTime = time.Second

// reloadSettled reloads what somebody may still be writing: a fault is one if nothing
// changes for a moment.
func (l *reloader) reloadSettled(ctx context.Context) error {
	for {
		cfg, print, err := l.read(ctx)
		if err == nil {
			return l.put(ctx, cfg, print, nil)
		}
		select {
		case <-time.After(settleTime):
		case <-ctx.Done():
			return errSuperseded
		}
		if fingerprintOf(l.files()) == print {
			return l.put(ctx, cfg, print, err)
		}
	}
}

// reload opens the audit log anew, and puts the configuration into force, but for what
// is listened on; one with faults changes nothing, nor does one whose ctx has ended.
func (l *reloader) reload(ctx context.Context) error {
	if err := l.audit.open(l.audit.at()); err != nil {
		l.log.Error("the audit log goes on in the old file", "error", err)
	}
	cfg, print, err := l.read(ctx)
	return l.put(ctx, cfg, print, err)
}

// read reads the configuration, of files that do not change meanwhile.
func (l *reloader) read(ctx context.Context) (cfg *config.Config, print fingerprint, err error) {
	for range maxReads {
		before := fingerprintOf(l.files())
		cfg, err = l.load(ctx)
		if print = fingerprintOf(l.files()); print == before || ctx.Err() != nil {
			return cfg, print, err
		}
		select {
		case <-time.After(watchSettle):
		case <-ctx.Done():
		}
	}
	return cfg, print, err
}

// maxReads is how often files are read that change all the time.
const maxReads = 10

// put puts a configuration in force that was read without err, and says what became
// of it.
func (l *reloader) put(ctx context.Context, cfg *config.Config, print fingerprint, err error) error {
	l.reloading.Lock()
	defer l.reloading.Unlock()
	if ctx.Err() != nil {
		return errSuperseded
	}
	l.by.reloading()
	defer func() { l.by.ready(statusOf(l.server.now.Load().cfg)) }()
	var next *parts
	if err == nil {
		next, err = l.prepare(ctx, cfg)
	}
	if ctx.Err() != nil {
		return errSuperseded
	}
	l.note(print)
	if err != nil {
		l.state.failed(err)
		l.log.Error("the configuration has faults: the one before stays in force", "error", err)
		return err
	}
	for _, warning := range cfg.Warnings {
		l.log.Warn(warning)
	}
	keys := needRestart(l.start, cfg)
	if len(keys) > 0 {
		l.log.Warn("some changes need a restart of the proxy", "keys", keys)
	}
	ended := l.server.replace(next)
	go next.cas.prepare(l.log)
	if cfg.AuditLog == "" {
		_ = l.audit.open("") // nothing is opened
	}
	l.control.move(l.life, controlPath(cfg))
	l.state.succeeded(keys)
	l.log.Info("read the configuration again", "apps", appNames(cfg), "clients", len(cfg.Clients.All()), "rules", len(cfg.Rules), "upstream_proxy", next.through, "connections_ended", ended)
	return nil
}

// prepare makes what is to be put in force, and checks what a start would.
func (l *reloader) prepare(ctx context.Context, cfg *config.Config) (*parts, error) {
	now := l.server.now.Load()
	if err := errors.Join(checkExposure(cfg, "listen", l.addr.String(), isLoopback(l.addr)), checkLed(cfg, l.start.Transparent.Listen)); err != nil {
		return nil, err
	}
	if err := examineSigners(ctx, changedApps(now.cfg.Apps, cfg.Apps)); err != nil {
		return nil, err
	}
	cas, err := openAuthorities(cfg, onDisk(cfg))
	if err != nil {
		return nil, err
	}
	if now.cas.equal(cas) {
		cas = now.cas // which has leaves
	} else {
		cas.warnOfExpiry(l.log)
	}
	next, err := l.server.prepare(cfg, cas)
	if err != nil {
		return nil, err
	}
	if cfg.AuditLog != "" && cfg.AuditLog != l.audit.at() {
		err = l.audit.open(cfg.AuditLog)
	}
	return next, err
}

// files are those on which the configuration depends.
func (l *reloader) files() []string {
	files := l.reading.Files()
	if cfg := l.server.now.Load().cfg; cfg.CA.CertFile == "" {
		for _, spec := range specs(cfg) {
			key := filepath.Join(caDir(cfg), spec.Instance+".key")
			files = append(files, key, key+".old")
		}
	}
	return files
}

// note notes as what the files were read, and that they may be others than before.
func (l *reloader) note(print fingerprint) {
	l.mu.Lock()
	l.loaded = print
	l.mu.Unlock()
	select {
	case l.again <- struct{}{}:
	default:
	}
}

// isLoaded reports whether the files are as they were when they were read last, or
// whether nobody wants to know.
func (l *reloader) isLoaded(print fingerprint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return print == l.loaded || !l.server.now.Load().cfg.Watch
}

// times are shutdown_delay and shutdown_grace, as in force.
func (l *reloader) times() (delay, grace time.Duration) {
	cfg := l.server.now.Load().cfg
	return cfg.ShutdownDelay, cfg.ShutdownGrace
}

// changedApps are those of now that were not there, or not in this way.
func changedApps(before, now []*auth.App) (changed []*auth.App) {
	for _, app := range now {
		if !slices.ContainsFunc(before, func(b *auth.App) bool { return b.Equal(app) }) {
			changed = append(changed, app)
		}
	}
	return changed
}

// equal reports whether two sets of CAs sign for the same hosts with the same
// certificates.
func (a *authorities) equal(b *authorities) bool {
	return bytes.Equal(a.pem(), b.pem()) && maps.EqualFunc(a.byHost, b.byHost, func(x, y *certs.CA) bool { return bytes.Equal(x.PEM(), y.PEM()) })
}

// needRestart names the keys of what is fixed that have changed since the start.
func needRestart(start, now *config.Config) (keys []string) {
	old, fixed := reflect.ValueOf(start.Fixed), reflect.ValueOf(now.Fixed)
	for i := range fixed.NumField() {
		if !reflect.DeepEqual(old.Field(i).Interface(), fixed.Field(i).Interface()) {
			keys = append(keys, fixed.Type().Field(i).Tag.Get("key"))
		}
	}
	if !slices.Equal(listensOf(start), listensOf(now)) {
		keys = append(keys, "client.*.listen")
	}
	slices.Sort(keys)
	return slices.Compact(keys)
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
