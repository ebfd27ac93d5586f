package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"unicode"

	"ghapp-proxy/auth"
	"ghapp-proxy/safepath"
)

// maxFile bounds every file and every output that is read, in bytes.
const maxFile = 1 << 20

var errTooLong = errors.New("longer than 1 MiB")

// checkFile warns if anybody but the owner may do anything with a file, or may
// put another in its place. Windows has no such modes: os reports 0666 there for
// every file.
func checkFile(path string, info fs.FileInfo, warn func(error)) {
	mode := info.Mode()
	if mode.IsRegular() && mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" && !safepath.IsGiven(path, info) {
		warn(withHint("chmod 600 "+shellQuote(path), "other users may read %s (mode %04o)", path, mode.Perm()))
	}
	checkPlace(path, info, warn)
}

// checkPlace warns if others could change a file, or put another in its place.
func checkPlace(path string, info fs.FileInfo, warn func(error)) {
	if fault, ok := errors.AsType[*safepath.Error](safepath.Check(path)); ok && info.Mode().IsRegular() {
		warn(withHint(fault.Remedy, "%s: %s", fault.Path, fault.Reason))
	}
}

// warnPlace is checkPlace for what is at the path of a key, if it is there. It may
// be no secret, but others must not choose it.
func (t *table) warnPlace(key, path string) {
	if info, err := os.Stat(path); err == nil {
		checkPlace(path, info, func(w error) { t.warn(key, w) })
	}
}

// bare takes the operation and the path out of an error.
func bare(err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// pathError names the file in an error of readFile or readKey, and says what can be
// done about it: what is the thing that is looked for in the file. The path is
// absolute, so that it shows where a relative one led.
func pathError(path, what string, err error) error {
	return fmt.Errorf("%s: %w", path, unreadable(path, what, err))
}

// unreadable adds the remedy to an error of readFile or readKey.
func unreadable(path, what string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(path, "$"):
		return withHint("variables are not expanded here: ~/ stands for your home directory", "%w", err)
	case errors.Is(err, fs.ErrNotExist):
		return withHint("save "+what+" there, or give the path of the file that has it", "%w", err)
	case errors.Is(err, fs.ErrPermission):
		return withHint("whoever runs ghapp-proxy must be able to read the file, and to enter the directories that it is in", "%w", err)
	}
	return err
}

// appKey is what is looked for in the file of a private key.
const appKey = "the private key that the App's settings page let you download"

// shellQuote quotes a path for a POSIX shell where it has to be.
func shellQuote(path string) string {
	if regexp.MustCompile(`^[A-Za-z0-9/._+-]+$`).MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// secretShape matches text that is a secret and no path, name or command: PEM,
// PEM in base64, a client secret (40 hexadecimal digits), a token of GitHub.
var secretShape = regexp.MustCompile(`-----BEGIN|PRIVATE KEY|LS0tLS1CRUdJTi|^[0-9a-fA-F]{32,}$|\bgh[a-z]_[0-9A-Za-z]{16}|\bgithub_pat_|MII[0-9A-Za-z+/]{60}|\n`)

// holdsSecret reports whether a setting that should point to a secret has been
// given the secret itself, which then must not be printed.
func holdsSecret(s string) bool { return secretShape.MatchString(s) }

// secret reads the secret for which a table has the keys NAME_file, NAME_env
// and NAME_command, one at most. It returns the key that was used, "" if there
// is none or it is faulty, and from where the text came, for errors.
func (l *loader) secret(t *table, name string) (text []byte, key, origin string) {
	key = t.oneOf(name+"_file", name+"_env", name+"_command")
	if key == "" {
		return nil, "", ""
	}
	return l.secretAt(t, key)
}

// secretAt is secret for the key that is given.
func (l *loader) secretAt(t *table, given string) (text []byte, key, origin string) {
	text, origin, err := l.secretFrom(t, given)
	if err != nil {
		t.fault(given, fmt.Errorf("%s: %w", origin, err))
	}
	if err != nil || origin == "" {
		return nil, "", ""
	}
	return text, given, origin
}

// secretFrom reads the file, the variable or the output that a key names. origin is
// "" if secrets are not wanted, or the key has a fault, which is reported already.
func (l *loader) secretFrom(t *table, key string) (text []byte, origin string, err error) {
	switch {
	case strings.HasSuffix(key, "_file"):
		path, ok := t.file(key)
		if !ok || l.src.NoSecrets {
			return nil, "", nil
		}
		text, err = l.src.Reading.readFile(path, func(w error) { t.warn(key, w) })
		return text, path, unreadable(path, "the secret", err)
	case strings.HasSuffix(key, "_env"):
		return l.secretFromEnv(t, key)
	default:
		argv, ok := t.argv(key)
		if !ok || l.src.NoSecrets || !l.mayRun(t, key, argv) {
			return nil, "", nil
		}
		withheld := withoutPaths(l.secretEnv)
		text, err = runCommand(l.ctx, argv, t.doc.dir, func(cmd *exec.Cmd) { cmd.Env = without(cmd.Environ(), withheld) })
		return text, "the output of " + commandName(argv), err
	}
}

// secretVariables are the variables that a file reads secrets from, wherever it
// names them: a command that runs before all of it was read must not get them.
func secretVariables(values map[string]any) (names []string) {
	for key, value := range values {
		switch value := value.(type) {
		case map[string]any:
			names = append(names, secretVariables(value)...)
		case string:
			if strings.HasSuffix(key, "_env") && envName.MatchString(value) {
				names = append(names, value)
			}
		}
	}
	return names
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secretFromEnv is secretFrom for a variable.
func (l *loader) secretFromEnv(t *table, key string) (text []byte, origin string, err error) {
	name, ok := t.text(key)
	if !ok {
		return nil, "", nil
	}
	if holdsSecret(name) || !envName.MatchString(name) {
		t.fault(key, withHint("put the secret into an environment variable and give the variable's name, without $",
			"must be the name of an environment variable"))
		return nil, "", nil
	}
	l.secretEnv = append(l.secretEnv, name)
	if l.src.NoSecrets {
		return nil, "", nil
	}
	value := l.env(name)
	if value == "" {
		return nil, "$" + name, errors.New("this environment variable is unset or empty")
	}
	return []byte(value), "$" + name, nil
}

// Unread is the client secret of an App that has one, where Source.NoSecrets left it
// unread.
const Unread auth.Secret = "unread"

// clientSecret reads the client secret of an App, "" if it has none.
func (l *loader) clientSecret(t *table) auth.Secret {
	text, key, origin := l.secret(t, "client_secret")
	if given := slices.ContainsFunc(clientSecretKeys, t.has); l.src.NoSecrets && given {
		return Unread
	}
	if key == "" {
		return ""
	}
	secret, err := parseClientSecret(text)
	if err != nil {
		t.fault(key, fmt.Errorf("%s: %w", origin, err))
	}
	return secret
}

// parseClientSecret takes the space around a client secret away and refuses
// what cannot be one; its errors do not quote it.
func parseClientSecret(text []byte) (auth.Secret, error) {
	s := strings.TrimSpace(string(text))
	switch {
	case s == "":
		return "", errors.New("the client secret is empty")
	case strings.Contains(s, "-----BEGIN"):
		return "", errors.New("PEM, where the App's client secret is needed")
	case len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return "", errors.New("no client secret: that is one word")
	}
	return auth.Secret(s), nil
}
