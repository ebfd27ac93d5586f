package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

const nameHint = "every App has a name of your choice: [app.NAME]"

// errNoApp shows the smallest configuration.
var errNoApp = withHint(`the smallest file is
	[app.my-app]
	id = 12345
	private_key_file = "my-app.pem"
without any file, set GITHUB_APP_ID (or GITHUB_APP_CLIENT_ID), and
GITHUB_APP_PRIVATE_KEY_PATH (a file) or GITHUB_APP_PRIVATE_KEY (its text);
a file that exists is all that counts: these variables are not read then`,
	"no GitHub App is configured")

var appName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// readApps reads [app.NAME] for every NAME, in the order of the file. Apps
// with faults are among the results.
func (l *loader) readApps(t *table) []*auth.App {
	seen := appIDs{}
	var apps []*auth.App
	for _, name := range t.freeNames() {
		if !appName.MatchString(name) {
			t.fault(name, withHint("letters, digits and . _ - are allowed", "not a name for an App"))
		}
		sub := t.table(name, nameHint)
		if sub.values == nil {
			continue // reported
		}
		app := l.readApp(sub, name)
		seen.check(sub, app)
		apps = append(apps, app)
	}
	return apps
}

// readApp reads one [app.NAME].
func (l *loader) readApp(t *table, name string) *auth.App {
	app := &auth.App{Name: name, Instance: github.GitHubCom}
	app.ID = readAppID(t)
	app.ClientID = readClientID(t)
	if !t.has("id") && !t.has("client_id") {
		t.fault("", withHint("both are on the App's settings page: id = 12345, or client_id = \"Iv23…\"", "id or client_id is missing"))
	}
	app.Signers = l.signers(t)
	if s, ok := t.text("host"); ok {
		instance, err := github.ParseInstance(s)
		if err != nil {
			t.fault("host", err)
		}
		app.Instance = instance
	}
	app.API = app.Instance.APIURL()
	l.readClientSecret(t, app)
	app.DefaultInstallation = t.installation("default_installation")
	app.NoDiscovery = !t.boolean("discover", true)
	app.Installations = readInstallations(t, "installations")
	app.Enterprises = readInstallations(t, "enterprises")
	return app
}

// readAppID reads the App's number. Its client id stands beside it on the App's
// settings page, and is recommended there.
func readAppID(t *table) int64 {
	if s, _ := t.lookup("id"); isClientID(s) {
		t.fault("id", withHint(fmt.Sprintf("that is a client id: client_id = %q", s), "must be an integer"))
		return 0
	}
	id, _ := t.positive("id")
	return id
}

// isClientID reports whether a value is text that begins as client ids do.
func isClientID(value any) bool {
	s, ok := value.(string)
	return ok && strings.HasPrefix(s, "Iv") && clientIDShape.MatchString(s) && !holdsSecret(s)
}

var (
	clientIDShape = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	digits        = regexp.MustCompile(`^[0-9]+$`)
)

func readClientID(t *table) string {
	s, ok := t.text("client_id")
	if !ok {
		return ""
	}
	if err := checkClientID(s, "id"); err != nil {
		t.fault("client_id", err)
	}
	return s
}

// checkClientID accepts what could be a client id: Iv1.… or Iv23… An id belongs
// into idKey.
func checkClientID(s, idKey string) error {
	switch {
	case digits.MatchString(s):
		return withHint("the App id, a number, goes into "+idKey, "not a client id")
	case holdsSecret(s) || !clientIDShape.MatchString(s):
		return withHint("it is on the App's settings page and begins with Iv", "not a client id")
	}
	return nil
}

// clientSecretKeys say where an App's client secret is.
var clientSecretKeys = []string{"client_secret_file", "client_secret_env", "client_secret_command"}

func (l *loader) readClientSecret(t *table, app *auth.App) {
	app.ClientSecret = l.clientSecret(t)
	for _, key := range clientSecretKeys {
		if t.has(key) && !t.has("client_id") {
			t.fault(key, withHint("GitHub wants both together: add client_id", "client_id is missing"))
		}
	}
}

// readDefaultOwner reads whom requests that name nobody are for.
func readDefaultOwner(t *table) string {
	s, ok := t.text("default_owner")
	if ok && (holdsSecret(s) || !github.IsLogin(s)) {
		t.fault("default_owner", withHint("letters, digits, - and _ are allowed: a user or an organization, not a repository", "not the login of an owner"))
		return ""
	}
	return s
}

// readInstallations reads a table of logins and installation ids. Logins are
// lowered, because GitHub does not tell them apart by case.
func readInstallations(app *table, key string) map[string]github.InstallationID {
	t := app.table(key, "one line for each owner: acme = 111")
	ids := map[string]github.InstallationID{}
	first := map[string]string{} // lower case → as written first
	for _, name := range t.freeNames() {
		if app.asked[name] && misplaced(t, name) {
			t.fault(name, withHint("move it above ["+t.path+"]", "a key of the App among the owners"))
			continue
		}
		lower := strings.ToLower(name)
		if !github.IsLogin(name) {
			t.fault(name, withHint("letters, digits, - and _ are allowed; an installation covers an owner, not one repository", "not the login of an owner"))
		}
		if other, ok := first[lower]; ok {
			t.fault(name, withHint("GitHub does not tell logins apart by case: keep one of them", "the same login as %q", other))
		} else {
			first[lower] = name
		}
		if id, ok := t.positive(name); ok {
			ids[lower] = github.InstallationID(id)
		}
	}
	return ids
}

// misplaced reports whether a key that could belong to the App does: it is
// written below the header of the table of owners, but cannot be an owner.
func misplaced(t *table, name string) bool {
	v, _ := t.lookup(name)
	_, number := v.(int64)
	return !number || strings.Contains(name, "_")
}

// appIDs are the Apps read so far: two tables for one App are a mistake.
type appIDs map[appID]string // → name

type appID struct {
	instance github.Instance
	id       any // int64 or the client id
}

// check reports an App that is there already.
func (a appIDs) check(t *table, app *auth.App) {
	add := func(key string, id any) {
		at := appID{app.Instance, id}
		if other, ok := a[at]; ok {
			t.fault(key, withHint("an App needs one table only, with all its owners", "[%s] has the same", join("app", other)))
			return
		}
		a[at] = app.Name
	}
	if app.ID != 0 {
		add("id", app.ID)
	}
	if app.ClientID != "" {
		add("client_id", strings.ToLower(app.ClientID))
	}
}

// errNotID is for ids in variables, which are not quoted in case they are something else.
var errNotID = errors.New("must be a positive integer")
