package config

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/governor"
)

// The variables from which an App is read if there is no file.
const (
	idEnv           = "GITHUB_APP_ID"
	clientIDEnv     = "GITHUB_APP_CLIENT_ID"
	clientSecretEnv = "GITHUB_APP_CLIENT_SECRET"
	installationEnv = "GITHUB_APP_INSTALLATION_ID"
	hostEnv         = "GITHUB_APP_HOST"
)

// The variables of the key: ours, and those that other tools read it from
// (gidgethub's documentation, palantir/go-githubapp and @probot/get-private-key).
var (
	keyTextEnv = []string{"GITHUB_APP_PRIVATE_KEY", "GITHUB_PRIVATE_KEY", "PRIVATE_KEY"}
	keyPathEnv = []string{"GITHUB_APP_PRIVATE_KEY_PATH", "GITHUB_PRIVATE_KEY_PATH", "PRIVATE_KEY_PATH"}
)

// envApp is the name of the App that the environment describes.
const envApp = "env"

// loadEnv fills in cfg from the environment alone.
func (l *loader) loadEnv(cfg *Config) {
	noApp := l.env(idEnv) == "" && l.env(clientIDEnv) == ""
	if noApp && !l.src.NoApp {
		l.envFault("", l.noApp())
		return
	}
	cfg.Listen, cfg.Form, cfg.ShutdownGrace, cfg.Watch = DefaultListen, FormPlain, DefaultShutdownGrace, true
	l.overrideListen(cfg)
	cfg.PlainHTTP = IsLoopback(cfg.Listen)
	cfg.TLS = TLS{Names: l.defaultTLSNames("command line", cfg)}
	cfg.StateDir = l.defaultStateDir("environment")
	cfg.CA.NameConstraints = true
	cfg.Governor = governor.Default
	cfg.Upstream.ConnectTo = map[string]string{}
	if noApp {
		return
	}
	app := &auth.App{
		Name:                envApp,
		ID:                  l.envID(idEnv),
		ClientID:            l.env(clientIDEnv),
		Installations:       map[string]github.InstallationID{},
		Enterprises:         map[string]github.InstallationID{},
		DefaultInstallation: github.InstallationID(l.envID(installationEnv)),
	}
	if app.ClientID != "" {
		l.envFault(clientIDEnv, checkClientID(app.ClientID, idEnv))
	}
	l.envHost(app)
	switch {
	case !l.src.NoSecrets:
		l.envClientSecret(app)
		l.envKey(app)
	case l.env(clientSecretEnv) != "":
		app.ClientSecret = Unread
	}
	cfg.Apps = []*auth.App{app}
}

// noApp says what is missing where no variable names an App: all, or but its id.
func (l *loader) noApp() error {
	for _, name := range slices.Concat(keyTextEnv, keyPathEnv) {
		if strings.HasPrefix(name, "GITHUB_") && l.env(name) != "" {
			return withHint("set "+idEnv+" or "+clientIDEnv+": both are on the App's settings page", "%s has a private key, but no variable says of which App", name)
		}
	}
	if path, _ := l.findFile(); path != "" {
		return withHint(errNoApp.(hinted).hint+";\nthe file is looked for at "+path+", or is named by $"+pathEnv+" or --config", "%w", errNoApp)
	}
	return errNoApp
}

// envFault reports that something is wrong with a variable, if err is not nil.
func (l *loader) envFault(name string, err error) {
	if err != nil {
		l.faults = append(l.faults, newFault("environment", 0, name, err))
	}
}

// envID reads a positive integer, 0 if the variable is unset.
func (l *loader) envID(name string) int64 {
	s := l.env(name)
	if s == "" {
		return 0
	}
	if name == idEnv && isClientID(s) {
		l.envFault(name, withHint("that is a client id: it goes into "+clientIDEnv, "must be a positive integer"))
		return 0
	}
	id, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || id <= 0 {
		l.envFault(name, errNotID)
		return 0
	}
	return id
}

func (l *loader) envHost(app *auth.App) {
	instance := github.GitHubCom
	if s := l.env(hostEnv); s != "" {
		var err error
		instance, err = github.ParseInstance(s)
		l.envFault(hostEnv, err)
	}
	app.Instance = instance
	app.API = instance.APIURL()
}

func (l *loader) envClientSecret(app *auth.App) {
	s := l.env(clientSecretEnv)
	if s == "" {
		return
	}
	if app.ClientID == "" {
		l.envFault(clientSecretEnv, withHint("GitHub wants both together", "%s is missing", clientIDEnv))
	}
	secret, err := parseClientSecret([]byte(s))
	l.envFault(clientSecretEnv, err)
	app.ClientSecret = secret
}

// envKey reads the key from the one variable of six that is set.
func (l *loader) envKey(app *auth.App) {
	var set []string
	for i := range keyTextEnv {
		for _, name := range []string{keyTextEnv[i], keyPathEnv[i]} {
			if l.env(name) != "" {
				set = append(set, name)
			}
		}
	}
	switch len(set) {
	case 0:
		l.envFault("", withHint("set GITHUB_APP_PRIVATE_KEY_PATH to the file GitHub let you download, or GITHUB_APP_PRIVATE_KEY to its text;\n"+
			"a key in the current directory is not looked for, because that may be somebody else's",
			"an App is named, but its private key is missing"))
		return
	case 1:
	default:
		l.envFault(set[1], withHint("unset all but one", "%s is set as well: the key comes from one place", strings.Join(append(set[:1:1], set[2:]...), ", ")))
		return
	}
	signer, err := l.envSigner(set[0])
	if err != nil {
		l.envFault(set[0], err)
		return
	}
	app.Signers = []auth.Signer{signer}
}

// envSigner reads the key that a variable holds, or that is in the file it names.
func (l *loader) envSigner(name string) (auth.Signer, error) {
	value := l.env(name)
	if !strings.HasSuffix(name, "_PATH") {
		private, err := auth.ParseKey([]byte(value))
		if err != nil && isPath(value) {
			return nil, withHint("the path of a file goes into "+name+"_PATH", "is the path of a file, and not the text of a key")
		}
		if err != nil {
			return nil, err
		}
		return auth.NewKey(private), nil
	}
	if holdsSecret(value) {
		return nil, withHint("the text itself goes into "+strings.TrimSuffix(name, "_PATH"), "holds the key itself instead of the path of a file")
	}
	path, err := filepath.Abs(expandHome(value, l.src.HomeDir))
	if err != nil {
		return nil, err
	}
	file, err := openKeyFile(l.src.Reading, path, func(w error) {
		l.warnings = append(l.warnings, newFault("environment", 0, name, w))
	}, l.log)
	if err != nil {
		return nil, pathError(path, appKey, err)
	}
	return file, nil
}

// isPath reports whether text that is no key is probably the path of one.
func isPath(text string) bool {
	if holdsSecret(text) || len(text) > 4096 {
		return false
	}
	_, err := os.Stat(text)
	return err == nil || strings.HasSuffix(text, ".pem") || strings.HasPrefix(text, "~/") || filepath.IsAbs(text)
}
