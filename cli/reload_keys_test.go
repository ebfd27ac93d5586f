package cli

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/oidc"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/rules"
)

// toNobody is a way to GitHub that leads to nobody.
var toNobody = config.Upstream{ConnectTo: map[string]string{"api.github.com:443": "127.0.0.1:1"}}

// reloading is a server whose configuration is what cfg says when it is read.
func reloading(t *testing.T, cfg *config.Config) *reloader {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	start := *cfg
	cas, err := openAuthorities(cfg, onDisk(cfg))
	if err != nil {
		t.Fatal(err)
	}
	audit := new(auditLog)
	srv, err := newServer(&start, cas, serverOptions{log: log, audit: audit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		srv.stop(context.Background(), 0, func() {})
		audit.Close()
	})
	return &reloader{
		load: func(context.Context) (*config.Config, error) {
			now := *cfg
			return &now, nil
		},
		reading: new(config.Reading), start: &start, server: srv, audit: audit, control: &control{log: log},
		addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, log: log, life: t.Context(),
	}
}

func appFor(t *testing.T, name string) *auth.App {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &auth.App{Name: name, Instance: "github.com", ID: 1, API: &url.URL{Scheme: "https", Host: "api.github.com"}, Signers: []auth.Signer{auth.NewKey(key)}}
}

func clientsOf(t *testing.T, list ...*policy.Client) *policy.Set {
	t.Helper()
	set, faults := policy.NewSet(list)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return set
}

// inForce is what the proxy is given, and what is asked for when it is needed.
func (l *reloader) inForce() (given proxy.Configuration, now *parts) {
	now = l.server.now.Load()
	given = l.server.configuration(now)
	now.upstream.leave()
	return given, now
}

// TestReloadOfEveryKey: whatever the configuration has is put in force by a reload, or
// named for needing a restart. A new field of it must be in this test.
func TestReloadOfEveryKey(t *testing.T) {
	type keys map[string]struct {
		change func(*config.Config)
		used   func(*reloader) any
	}
	given := func(what func(proxy.Configuration) any) func(*reloader) any {
		return func(l *reloader) any { c, _ := l.inForce(); return what(c) }
	}
	now := func(what func(*parts) any) func(*reloader) any {
		return func(l *reloader) any { _, p := l.inForce(); return what(p) }
	}
	dir := t.TempDir()
	one, another := appFor(t, "bot"), appFor(t, "another")
	live := keys{
		"StateDir": {func(c *config.Config) { c.StateDir = filepath.Join(dir, "other") }, func(l *reloader) any { return l.control.path }},
		"GrantKeyFile": {func(c *config.Config) { c.GrantKeyFile = filepath.Join(dir, "none") }, now(func(p *parts) any {
			_, err := p.grants.Keys()
			return fmt.Sprint(err)
		})},
		"AllowAnonymous": {func(c *config.Config) { c.AllowAnonymous = true }, given(func(c proxy.Configuration) any { return c.Anonymous })},
		"WithoutRelay":   {func(c *config.Config) { c.WithoutRelay = true }, given(func(c proxy.Configuration) any { return c.WithoutRelay })},
		"PlainHTTP":      {func(c *config.Config) { c.PlainHTTP = true }, given(func(c proxy.Configuration) any { return c.PlainHTTP })},
		"Apps":           {func(c *config.Config) { c.Apps = append(slices.Clone(c.Apps), another) }, now(func(p *parts) any { return len(p.source.Stats().Apps) })},
		"Fallback": {func(c *config.Config) { c.Fallback = auth.FallbackRefuse }, now(func(p *parts) any {
			return fmt.Sprintf("%+v", p.source.Plan("github.com", auth.Want{Read: true}))
		})},
		"RevokeOnExit": {func(c *config.Config) { yes := true; c.RevokeOnExit = &yes }, now(func(p *parts) any { return p.revoke })},
		"JWTWrites":    {func(c *config.Config) { c.JWTWrites = true }, given(func(c proxy.Configuration) any { return c.Rules.JWTWrites })},
		"Exchange":     {func(c *config.Config) { c.Exchange = config.ExchangePlaceholder }, given(func(c proxy.Configuration) any { return c.Rules.Exchange })},
		"DefaultOwner": {func(c *config.Config) { c.DefaultOwner = "acme" }, given(func(c proxy.Configuration) any { return c.DefaultOwner })},
		"Origins":      {func(c *config.Config) { c.Origins = []string{"*"} }, given(func(c proxy.Configuration) any { return len(c.Origins) })},
		"Rules":        {func(c *config.Config) { c.Rules = []rules.Rule{{Deny: "no"}} }, given(func(c proxy.Configuration) any { return len(c.Rules.Rules) })},
		"Clients":      {func(c *config.Config) { c.Clients = clientsOf(t, &policy.Client{Name: "one"}) }, given(func(c proxy.Configuration) any { return len(c.Clients.All()) })},
		"Issuers":      {func(c *config.Config) { c.Issuers = []*oidc.Issuer{{Name: "x", URL: "https://x.example"}} }, now(func(p *parts) any { return p.tokens != nil && p.tokens.Issuers != nil })},
		"Tokens": {func(c *config.Config) {
			c.Issuers, c.Tokens = []*oidc.Issuer{{Name: "x", URL: "https://x.example"}}, []*oidc.Client{{Name: "one"}}
		}, now(func(p *parts) any { return p.tokens != nil && len(p.tokens.Clients) > 0 })},
		"AuditLog":      {func(c *config.Config) { c.AuditLog = filepath.Join(dir, "audit.jsonl") }, func(l *reloader) any { c, _ := l.inForce(); return l.audit.at() + fmt.Sprint(c.Audit == nil) }},
		"AuditRequired": {func(c *config.Config) { c.AuditRequired = true }, given(func(c proxy.Configuration) any { return c.AuditRequired })},
		"Watch":         {func(c *config.Config) { c.Watch = true }, func(l *reloader) any { return l.isLoaded(fingerprint{1}) }},
		"ShutdownDelay": {func(c *config.Config) { c.ShutdownDelay = time.Second }, func(l *reloader) any { delay, _ := l.times(); return delay }},
		"ShutdownGrace": {func(c *config.Config) { c.ShutdownGrace = time.Second }, func(l *reloader) any { _, grace := l.times(); return grace }},
		"CA":            {func(c *config.Config) { c.StateDir, c.CA.NameConstraints = filepath.Join(dir, "third"), false }, given(func(c proxy.Configuration) any { return string(c.CAPEM) })},
		"TLS": {func(c *config.Config) { c.TLS.Certificate = new(tls.Certificate) }, given(func(c proxy.Configuration) any {
			own, err := c.OwnCertificate("localhost")
			return fmt.Sprint(own, err)
		})},
		"Upstream": {func(c *config.Config) { c.Upstream.HTTP2 = true }, given(func(c proxy.Configuration) any { return c.Upstream })},
		"Cache":    {func(c *config.Config) { size := int64(1 << 20); c.Cache.Size = &size }, func(l *reloader) any { return l.server.kept.Stats().Size }},
		"Egress":   {func(c *config.Config) { c.Egress = new(policy.Egress) }, given(func(c proxy.Configuration) any { return c.Upstream })},
		"Governor": {func(c *config.Config) { c.Governor.On = true }, func(l *reloader) any { return l.server.held.Settings().On }},
	}
	fixed := map[string]struct {
		change func(*config.Config)
		key    string
	}{
		"Listen":      {func(c *config.Config) { c.Listen = "127.0.0.1:1" }, "listen"},
		"Form":        {func(c *config.Config) { c.Form = config.FormTLS }, "listen"},
		"Admin":       {func(c *config.Config) { c.Admin.Listen = "127.0.0.1:2" }, "admin"},
		"Shared":      {func(c *config.Config) { c.Shared.Prefix = "other:" }, "shared"},
		"Remember":    {func(c *config.Config) { c.Remember = true }, "remember"},
		"Transparent": {func(c *config.Config) { c.Transparent.Listen = "127.0.0.1:2" }, "transparent"},
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if field.Anonymous || len(field.Index) == 1 && slices.Contains([]string{"File", "SecretEnv", "Warnings"}, field.Name) {
			continue // not of the file
		}
		t.Run(field.Name, func(t *testing.T) {
			cfg := &config.Config{Live: config.Live{
				Apps: []*auth.App{one}, StateDir: filepath.Join(t.TempDir(), "state"), CA: config.CA{NameConstraints: true}, Upstream: toNobody,
			}}
			l := reloading(t, cfg)
			defer l.control.close()
			reload := func() {
				t.Helper()
				if err := l.reload(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			reload()
			if key, ok := fixed[field.Name]; ok {
				key.change(cfg)
				reload()
				if got := l.state.get().Restart; !slices.Equal(got, []string{key.key}) {
					t.Errorf("a restart is needed for %q, want %q", got, key.key)
				}
				if help := newServe(new(settings)).Long; !strings.Contains(help, " "+key.key) && !strings.Contains(help, "["+key.key+"]") {
					t.Errorf("the help of serve does not say that %s needs one", key.key)
				}
				return
			}
			key, ok := live[field.Name]
			if !ok {
				t.Fatal("nobody says what a reload does about it")
			}
			before := key.used(l)
			key.change(cfg)
			reload()
			if after := key.used(l); reflect.DeepEqual(after, before) {
				t.Errorf("%v is in force as before", after)
			}
			if got := l.state.get().Restart; len(got) > 0 {
				t.Errorf("a restart is needed for %q", got)
			}
		})
	}
}

// openFiles is how many files and sockets this process has open, -1 where nobody can say.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(list)
}

// TestReloadLeaks: two hundred of them leave nothing behind.
func TestReloadLeaks(t *testing.T) {
	dir := t.TempDir()
	cfg := &config.Config{Live: config.Live{Apps: []*auth.App{appFor(t, "bot")}, StateDir: filepath.Join(dir, "0"), CA: config.CA{NameConstraints: true}, Upstream: toNobody}}
	l := reloading(t, cfg)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which closes files that were forgotten
	ways := make(map[*sharedUpstream]bool)
	again := func(i int) {
		cfg.StateDir = filepath.Join(dir, fmt.Sprint(i%3)) // other CAs, another control socket
		cfg.AuditLog = []string{"", filepath.Join(dir, "audit.jsonl")}[i%2]
		cfg.Upstream.HTTP2 = i%2 == 0
		if err := l.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		ways[l.server.now.Load().upstream] = true
	}
	for i := range 6 {
		again(i)
	}
	l.server.awaitRetired(t.Context())
	goroutines, files := runtime.NumGoroutine(), openFiles()
	for i := range 204 {
		again(i)
	}
	l.server.awaitRetired(t.Context())
	for n := 0; (runtime.NumGoroutine() > goroutines || openFiles() > files) && n < 200; n++ {
		time.Sleep(10 * time.Millisecond)
	}
	if n, m := runtime.NumGoroutine(), openFiles(); n > goroutines+3 || m > files+3 {
		t.Errorf("there are %d goroutines and %d open files, and were %d and %d", n, m, goroutines, files)
	}
	delete(ways, l.server.now.Load().upstream)
	for way := range ways {
		if n := way.users.Load(); n != 0 {
			t.Fatalf("a way to GitHub that nobody needs any more has %d users", n)
		}
	}
	l.close()
	for i := range 3 {
		if left, _ := filepath.Glob(filepath.Join(dir, fmt.Sprint(i), "*.sock")); len(left) > 0 {
			t.Errorf("these are left: %q", left)
		}
	}
}

// TestReloadTooLate: one that another has replaced puts nothing in force.
func TestReloadTooLate(t *testing.T) {
	cfg := &config.Config{Live: config.Live{Apps: []*auth.App{appFor(t, "bot")}, StateDir: t.TempDir(), CA: config.CA{NameConstraints: true}, Upstream: toNobody}}
	l := reloading(t, cfg)
	cfg.PlainHTTP = true
	ctx, replaced := context.WithCancel(t.Context())
	replaced()
	if err := l.reload(ctx); err != errSuperseded {
		t.Errorf("it comes to %v, want %v", err, errSuperseded)
	}
	if now := l.server.now.Load(); now.cfg.PlainHTTP {
		t.Error("its configuration is in force")
	}
}
