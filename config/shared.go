package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/shared"
)

// Shared is the [shared] table: where replicas share what they know. What is zero has package shared's default.
type Shared struct {
	URL      auth.Secret // of a Valkey or Redis, "" for nowhere
	RootsPEM []byte      // the certificates of ca_file, nil without one
	Prefix   string      // of all names
	Patience time.Duration
	Timeout  time.Duration
	Secrets  [][]byte // of key_file, which seal what is shared in place of the Apps' keys; nil without one
}

const (
	sharedHint = "below a line [shared] there can be url_file, prefix, patience, timeout, ca_file and key_file"
	// minSharedSecret is how long a line of key_file is at least, in characters: 128 bits in hexadecimal.
	minSharedSecret = 32
	maxPatience     = time.Second
)

var sharedPrefix = regexp.MustCompile(`^[A-Za-z0-9:._/-]{1,100}$`)

// readShared reads the [shared] table.
func (l *loader) readShared(t *table) Shared {
	s := Shared{URL: l.sharedURL(t), Timeout: t.duration("timeout")}
	if prefix, ok := t.text("prefix"); ok {
		if !sharedPrefix.MatchString(prefix) {
			t.fault("prefix", withHint(`for example "ghapp-proxy:"`, "must be up to 100 letters, digits and : . _ / -"))
		}
		s.Prefix = prefix
	}
	if s.Patience = t.duration("patience"); s.Patience > maxPatience {
		t.fault("patience", withHint("requests wait for so long", "must be %v at most", maxPatience))
	}
	if path, ok := t.file("ca_file"); ok {
		roots, err := readRoots(t.doc.reading, path)
		if err != nil {
			t.fault("ca_file", err)
		}
		t.warnPlace("ca_file", path)
		s.RootsPEM = roots
	}
	if text, key, origin := l.secretFile(t, "key_file"); key != "" {
		var err error
		if s.Secrets, err = parseSharedSecrets(text); err != nil {
			t.fault(key, fmt.Errorf("%s: %w", origin, err))
		}
	}
	return s
}

// readRemember reads whether what was learned is kept over a restart.
func readRemember(t *table) bool {
	remember := t.boolean("remember", false)
	switch {
	case !remember:
	case t.has("shared"):
		t.fault("remember", withHint("leave it out", "what [shared] names remembers already"))
	case t.boolean("revoke_on_exit", false):
		t.fault("remember", withHint("leave out one of them", "revoke_on_exit takes away what is remembered"))
	}
	return remember
}

// sharedURL reads where the store is.
func (l *loader) sharedURL(t *table) auth.Secret {
	key := t.oneOf("url", "url_file", "url_env", "url_command")
	switch {
	case key == "":
		if len(t.values) > 0 {
			t.fault("", withHint(`for example url = "rediss://valkey.example.com:6379"; where it has a password, url_file, url_env or url_command`, "the url is missing"))
		}
		return ""
	case key == "url":
		text, ok := t.text(key)
		if ok {
			return checkedURL(t, key, text)
		}
		return ""
	}
	text, key, _ := l.secretAt(t, key)
	if key == "" {
		return ""
	}
	return checkedURL(t, key, strings.TrimSpace(string(text)))
}

func checkedURL(t *table, key, text string) auth.Secret {
	if err := shared.CheckURL(text); err != nil {
		t.fault(key, err)
		return ""
	}
	return auth.Secret(text)
}

// secretFile is secretAt for a key that is a file, where there need not be one.
func (l *loader) secretFile(t *table, name string) (text []byte, key, origin string) {
	if !t.has(name) {
		return nil, "", ""
	}
	return l.secretAt(t, name)
}

// parseSharedSecrets reads the lines of key_file. Its errors quote none.
func parseSharedSecrets(text []byte) (secrets [][]byte, err error) {
	for n, line := range strings.Split(string(text), "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case len(line) < minSharedSecret:
			return nil, withHint("make one by: openssl rand -hex 32", "line %d has less than %d characters", n+1, minSharedSecret)
		default:
			secrets = append(secrets, []byte(line))
		}
	}
	if secrets == nil {
		return nil, withHint("make one by: openssl rand -hex 32", "%w", errors.New("there is no secret in it"))
	}
	return secrets, nil
}
