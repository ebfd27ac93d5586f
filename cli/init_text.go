package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/event"
)

// answers are what a configuration is made of.
type answers struct {
	id     string // the App's id or client id
	key    string // the file with its private key
	host   string // "" for github.com
	caFile string // "" for none
	name   string // of the App, in the configuration

	chosen []string // installations that flags name
	all    bool     // every installation, those to come as well
	used   []auth.InstallationFacts

	out       string // the file to write
	isDefault bool   // it is the one that is read anyway
}

// bareKey is what TOML takes for a key as it is: toml.io, v1.0.0, "Keys".
var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// setName takes what GitHub calls the App for its name.
func (a *answers) setName(slug string) {
	if a.name = slug; !bareKey.MatchString(slug) {
		a.name = ""
	}
}

// useAll notes that every installation is to be used; one that is suspended is of no
// use.
func (a *answers) useAll(list []auth.InstallationFacts) {
	a.all = true
	a.used = slices.DeleteFunc(list, func(in auth.InstallationFacts) bool { return in.Suspended })
}

// text is the configuration.
func (a *answers) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	name := a.name
	if name == "" {
		name = "my-app"
	}
	line("# ghapp-proxy's configuration, as `ghapp-proxy init` wrote it. The source code has")
	line("# config.example.toml, with every key there is; `ghapp-proxy check` asks GitHub")
	line("# whether all is well.\n")
	line("# Where `ghapp-proxy serve` listens; the default:")
	line("#listen = \"127.0.0.1:8080\"\n")
	line("# The GitHub App; the name is yours.")
	line("[app.%s]\n", name)
	if strings.Trim(a.id, "0123456789") == "" {
		line("# Its id, from its settings page.")
		line("id = %s\n", cmp.Or(strings.TrimLeft(a.id, "0"), "0"))
	} else {
		line("# Its client id, from its settings page.")
		line("client_id = %s\n", tomlString(a.id))
	}
	line("# Its private key, which only you should be able to read. There are other ways to")
	line("# keep it: private_key_env, private_key_command, signer_command.")
	line("private_key_file = %s\n", tomlString(a.key))
	if a.host != "" {
		line("# The GitHub that it is on.")
		line("host = %s\n", tomlString(a.host))
	}
	a.writeInstallations(line, name)
	if a.caFile != "" {
		line("\n[upstream]\n")
		line("# Certificates to trust besides the system's.")
		line("ca_file = %s", tomlString(a.caFile))
	}
	return b.String()
}

// writeInstallations writes whose installations are used.
func (a *answers) writeInstallations(line func(string, ...any), name string) {
	if len(a.used) == 1 && !a.used[0].Account.Enterprise {
		line("# The installation for requests that name no owner, and for owners without one of")
		line("# their own: it reads what is public.")
		line("default_installation = %d\n", a.used[0].ID)
	}
	if a.all {
		line("# Which installation is whose, GitHub is asked. `discover = false` leaves it at those")
		line("# that are listed below.")
		line("#discover = false")
	} else {
		line("# Only the installations below are used; without this line GitHub is asked for")
		line("# those of other owners.")
		line("discover = false")
	}
	var users, enterprises []string
	for _, in := range a.used {
		entry := fmt.Sprintf("%s = %d", in.Account.Login, in.ID)
		if in.Account.Enterprise {
			enterprises = append(enterprises, entry)
		} else {
			users = append(users, entry)
		}
	}
	if a.all && len(a.used) > maxShown {
		return // GitHub knows them
	}
	for _, table := range []struct {
		key, comment string
		entries      []string
	}{{"installations", "Owner → installation.", users}, {"enterprises", "Enterprise → installation.", enterprises}} {
		if table.entries != nil {
			line("\n# %s", table.comment)
			line("[app.%s.%s]", name, table.key)
			line("%s", strings.Join(table.entries, "\n"))
		}
	}
}

// tomlString is a basic string (toml.io, v1.0.0, "String"): what JSON escapes in one
// is escaped there in the same way.
func tomlString(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("cli: a string does not marshal: " + err.Error())
	}
	return string(event.PlainJSON(quoted))
}

// writeNew writes a file that only its owner can read, in one go, unless there is one.
func writeNew(path, text string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); !errors.Is(err, errors.ErrUnsupported) { // fails if there is a file
		return ofExisting(path, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return ofExisting(path, err)
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// ofExisting says what absent says, where a file has come meanwhile.
func ofExisting(path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return absent(path)
	}
	return err
}
