package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/auth"
)

// Source is where a configuration comes from. Nothing else is consulted.
type Source struct {
	// Path is the file named on the command line, "" if none was.
	Path string
	// Text, if it is not nil, is taken for what the file at Path says, which need not
	// be there.
	Text []byte
	// LookupEnv reads an environment variable, as os.LookupEnv does; nil
	// stands for an empty environment.
	LookupEnv func(name string) (value string, ok bool)
	// HomeDir is the user's home directory; "" if it is unknown.
	HomeDir string
	// Listen, if it is not empty, replaces the configured address: it is the
	// one from the command line.
	Listen string
	// NoSecrets leaves keys and client secrets unread, for commands that need
	// none: the user who runs them may be kept from reading them. The Apps are
	// of no use to package auth then.
	NoSecrets bool
	// Log is told what becomes of keys that are read again later; nil discards it.
	Log *slog.Logger
	// Reading is the same for each Load of a configuration that is read again; nil
	// where it is read once.
	Reading *Reading
	// NoApp accepts that there is no App at all.
	NoApp bool
}

const (
	// DefaultListen is the address of the proxy where none is configured.
	DefaultListen = "127.0.0.1:8080"
	// DefaultShutdownGrace is as long as Kubernetes waits.
	DefaultShutdownGrace = 30 * time.Second
)

// Load finds, reads and checks the configuration, with everything that it
// refers to: keys, secrets and certificates. Commands that print a secret end
// with ctx. What is wrong with the configuration is reported as one *Error.
func Load(ctx context.Context, src Source) (*Config, error) {
	l := &loader{ctx: ctx, src: src, log: cmp.Or(src.Log, slog.New(slog.DiscardHandler)), secretEnv: slices.Concat(keyTextEnv, keyPathEnv, []string{clientSecretEnv})}
	src.Reading.begin()
	cfg := &Config{}
	if path, named := l.findFile(); path != "" {
		l.loadFile(cfg, path, named)
	}
	if cfg.File == "" && len(l.faults) == 0 {
		l.loadEnv(cfg)
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	slices.Sort(l.secretEnv)
	cfg.SecretEnv = slices.Compact(l.secretEnv)
	for _, c := range l.commands {
		c.withheld = withoutPaths(cfg.SecretEnv)
	}
	cfg.Warnings = l.warningTexts()
	return cfg, nil
}

// loader is what one call of Load carries around.
type loader struct {
	report
	ctx       context.Context
	src       Source
	log       *slog.Logger
	secretEnv []string         // variables that a secret was or could be read from
	commands  []*commandSigner // which must not get what these hold
}

// withoutPaths are those of the variables that hold a secret, rather than the
// path of a file with one.
func withoutPaths(secretEnv []string) []string {
	return slices.DeleteFunc(slices.Clone(secretEnv), func(name string) bool { return slices.Contains(keyPathEnv, name) })
}

// env returns an environment variable, "" if it is unset.
func (l *loader) env(name string) string {
	if l.src.LookupEnv == nil {
		return ""
	}
	value, _ := l.src.LookupEnv(name)
	return value
}

// pathEnv names the configuration file.
const pathEnv = "GHAPP_PROXY_CONFIG"

// File is the configuration file that Load would read, whether it is there or not; ""
// if there is no place for one.
func (src Source) File() string {
	path, _ := (&loader{src: src}).findFile()
	return path
}

// findFile returns the configuration file, and whether somebody named it: the
// file in the default place need not exist.
func (l *loader) findFile() (path string, named bool) {
	if l.src.Path != "" {
		return expandHome(l.src.Path, l.src.HomeDir), true
	}
	if path := l.env(pathEnv); path != "" {
		return expandHome(path, l.src.HomeDir), true
	}
	if dir := l.xdgDir("XDG_CONFIG_HOME", ".config"); dir != "" {
		return filepath.Join(dir, "config.toml"), false
	}
	return "", false
}

// xdgDir returns our directory below one of the XDG base directories, "" if
// there is no home directory. "All paths set in these environment variables
// must be absolute. If an implementation encounters a relative path in any of
// these variables it should consider the path invalid and ignore it."
// (XDG Base Directory Specification 0.8)
func (l *loader) xdgDir(variable, underHome string) string {
	base := l.env(variable)
	if !filepath.IsAbs(base) {
		if !filepath.IsAbs(l.src.HomeDir) {
			return ""
		}
		base = filepath.Join(l.src.HomeDir, underHome)
	}
	return filepath.Join(base, "ghapp-proxy")
}

// loadFile reads the configuration file; cfg.File stays empty if it is not there.
func (l *loader) loadFile(cfg *Config, path string, named bool) {
	abs, err := filepath.Abs(path)
	text, readErr := l.src.Text, error(nil)
	if text == nil {
		text, readErr = l.src.Reading.readFile(abs, nil) // what is checked, whatever links a ".." is behind
	}
	if errors.Is(readErr, fs.ErrNotExist) && !named {
		return
	}
	if err := errors.Join(err, readErr); err != nil {
		l.faults = append(l.faults, newFault(path, 0, "", fmt.Errorf("cannot be read: %w", err)))
		return
	}
	cfg.File = abs
	doc := parseDocument(&l.report, path, abs, l.src.HomeDir, string(text))
	if doc != nil {
		doc.reading = l.src.Reading
		doc.root.warnPlace("", abs)
		l.readDocument(cfg, doc)
	}
}

// readDocument reads every table of the file, then reports what it did not
// know. A new table is read here.
func (l *loader) readDocument(cfg *Config, doc *document) {
	l.secretEnv = append(l.secretEnv, secretVariables(doc.root.values)...)
	l.readTop(cfg, doc.root)
	cfg.CA = readCA(doc.root.table("ca", ""))
	cfg.TLS = readTLS(doc.root.table("tls", tlsHint), cfg)
	cfg.Upstream = readUpstream(doc.root.table("upstream", ""))
	cfg.Cache = readCache(doc.root.table("cache", cacheHint), doc.root.has("shared"))
	cfg.Shared = l.readShared(doc.root.table("shared", sharedHint))
	cfg.Remember = readRemember(doc.root)
	cfg.Governor = readGovernor(doc.root.table("governor", governorHint))
	apps := doc.root.table("app", nameHint)
	if wrongType := apps.values == nil && doc.root.has("app"); len(apps.values) == 0 && !wrongType && !l.src.NoApp {
		doc.addFault(0, "", errNoApp)
	}
	cfg.Apps = l.readApps(apps)
	r := newRuleReader(cfg.Apps)
	led := doc.root.table("transparent", transparentHint)
	cfg.Transparent = readTransparent(led)
	cfg.Issuers = readIssuers(doc.root)
	clients := &clientReader{ruleReader: r, listen: cfg.Listen, defaultOwner: cfg.DefaultOwner, issuers: cfg.Issuers, transparent: cfg.Transparent.Client}
	cfg.Clients = readClients(doc.root.table("client", clientHint), clients)
	cfg.Tokens = clients.tokens
	checkTransparentClient(led, cfg)
	r.clients = cfg.Clients
	cfg.Rules = r.readRules(doc.root)
	cfg.Egress = readEgress(doc.root, cfg.Apps)
	cfg.Admin = readAdmin(doc.root.table("admin", adminHint), listeners(cfg))
	checkListeners(led, cfg)
	doc.finish()
}

// readTop reads the keys outside every table.
func (l *loader) readTop(cfg *Config, t *table) {
	cfg.Listen, cfg.Form = DefaultListen, FormPlain
	if s, ok := t.text("listen"); ok {
		var err error
		if cfg.Listen, cfg.Form, err = ParseListen(s); err != nil {
			t.fault("listen", err)
		}
	}
	l.overrideListen(cfg)
	if path, ok := t.file("grant_key_file"); ok {
		cfg.GrantKeyFile = path
	}
	if dir, ok := t.file("state_dir"); ok {
		cfg.StateDir = dir
	} else if !t.has("state_dir") {
		cfg.StateDir = l.defaultStateDir(t.doc.file)
	}
	cfg.AuditLog = readAuditLog(t)
	cfg.Watch = t.boolean("watch", true)
	cfg.ShutdownDelay = t.duration("shutdown_delay")
	cfg.ShutdownGrace = cmp.Or(t.duration("shutdown_grace"), DefaultShutdownGrace)
	if cfg.AuditRequired = t.boolean("audit_required", false); cfg.AuditRequired && !t.has("audit_log") {
		t.fault("audit_required", withHint("add audit_log", "there is no audit log"))
	}
	cfg.AllowAnonymous = t.boolean("allow_anonymous", false)
	cfg.PlainHTTP = t.boolean("plain_http", IsLoopback(cfg.Listen))
	cfg.WithoutRelay = !t.boolean("relay", true)
	cfg.JWTWrites = t.boolean("jwt_writes", false)
	if revoke := t.boolean("revoke_on_exit", false); t.has("revoke_on_exit") {
		cfg.RevokeOnExit = &revoke
	}
	cfg.Exchange = readExchange(t)
	cfg.DefaultOwner = readDefaultOwner(t)
	cfg.Origins = readOrigins(t)
	if s, ok := t.text("fallback"); ok {
		fallback, err := auth.ParseFallback(s)
		if err != nil {
			t.fault("fallback", err)
		}
		cfg.Fallback = fallback
	}
}

// readExchange reads what a program gets that asks for an installation token.
func readExchange(t *table) Exchange {
	s, ok := t.text("exchange")
	if ok && Exchange(s) != ExchangePlaceholder {
		t.fault("exchange", withHint("leave the key out to have such requests refused", "%q is not %q", s, ExchangePlaceholder))
	}
	return Exchange(s)
}

// readOrigins reads the origins of web pages (RFC 6454, section 7).
func readOrigins(t *table) []string {
	words, _ := t.words("origins")
	for i, word := range words {
		words[i] = strings.ToLower(word)
		u, err := url.Parse(words[i])
		if word != "*" && (err != nil || u.Host == "" || u.Scheme+"://"+u.Host != words[i]) {
			t.fault("origins", withHint(`for example "https://dashboard.example.org", or "*" for the pages of all sites`, "element %d: %q is not the origin of web pages", i+1, word))
		}
	}
	return words
}

// readAuditLog reads where the audit log goes.
func readAuditLog(t *table) string {
	if s, ok := t.lookup("audit_log"); ok && s == "-" {
		return "-"
	}
	path, _ := t.file("audit_log")
	t.warnPlace("audit_log", path)
	return path
}

// overrideListen puts the address from the command line in place.
func (l *loader) overrideListen(cfg *Config) {
	if l.src.Listen == "" {
		return
	}
	var err error
	if cfg.Listen, cfg.Form, err = ParseListen(l.src.Listen); err != nil {
		l.faults = append(l.faults, newFault("command line", 0, "listen", err))
	}
}

// defaultStateDir returns the place of the CA, and reports to file if there is none.
func (l *loader) defaultStateDir(file string) string {
	dir := l.xdgDir("XDG_STATE_HOME", ".local/state")
	if dir == "" {
		l.faults = append(l.faults, newFault(file, 0, "state_dir",
			withHint("set state_dir, $XDG_STATE_HOME or $HOME", "there is no home directory to keep the state in")))
	}
	return dir
}

// readCA reads the [ca] table.
func readCA(t *table) CA {
	ca := CA{NameConstraints: t.boolean("name_constraints", true)}
	ca.CertFile, _ = t.file("cert_file")
	t.warnPlace("cert_file", ca.CertFile) // whom clients trust
	ca.KeyFile, _ = t.file("key_file")
	t.doc.reading.name(ca.CertFile)
	t.doc.reading.name(ca.KeyFile)
	if info, err := os.Stat(ca.KeyFile); err == nil {
		checkFile(ca.KeyFile, info, func(w error) { t.warn("key_file", w) })
	}
	switch cert, key := t.has("cert_file"), t.has("key_file"); {
	case cert && !key:
		t.fault("cert_file", withHint("give both, or neither to have a CA made", "key_file is missing"))
	case key && !cert:
		t.fault("key_file", withHint("give both, or neither to have a CA made", "cert_file is missing"))
	}
	return ca
}
