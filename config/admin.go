package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"

	"ghapp-proxy/policy"
)

// Admin is the [admin] table: where the proxy says how it is.
type Admin struct {
	Listen string // an address and a port, or "unix:" and a path; "" for nowhere
	// Hosts are names by which it may be asked over TCP, besides addresses and
	// localhost, in lower case.
	Hosts []string
}

const adminHint = "below a line [admin] there can be listen, allow_remote and hosts"

// listener is an address that something listens on, by a key.
type listener struct{ key, address string }

// readAdmin reads the [admin] table. others are the listeners of the proxy.
func readAdmin(t *table, others []listener) Admin {
	admin := Admin{Hosts: parsed(t, "hosts", parseHostName)}
	remote := t.boolean("allow_remote", false)
	s, ok := t.text("listen")
	if !ok {
		return admin
	}
	path, isUnix := strings.CutPrefix(s, "unix:")
	switch {
	case isUnix && (path == "" || holdsSecret(path)):
		t.fault("listen", withHint(`for example "unix:/run/ghapp-proxy/admin.sock"`, "the path is missing"))
	case isUnix:
		s = "unix:" + t.doc.resolve(path)
	default:
		if err := checkListen(s); err != nil {
			t.fault("listen", err)
		} else if !IsLoopback(s) && !remote {
			t.fault("listen", withHint("listen on 127.0.0.1 or on a Unix socket, or set allow_remote = true where the network keeps clients of the proxy away from it",
				"is not a loopback address, so that everybody who reaches it could read what the proxy does for whom"))
		}
	}
	for _, other := range others {
		if policy.SameListener(other.address, s) {
			t.fault("listen", withHint("give it a port or a path of its own", "%s is the same", other.key))
		}
	}
	admin.Listen = s
	return admin
}

// parseHostName reads a name by which the admin listener is called.
func parseHostName(s string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return "", withHint("leave it out", "addresses need not be listed")
	}
	if name == "" || strings.ContainsAny(name, "*:/@?# \t") {
		return "", withHint(`for example "ghapp-proxy.ci.svc"`, "not the name of a host")
	}
	return name, nil
}

// listeners are those of the proxy.
func listeners(cfg *Config) []listener {
	list := []listener{{"listen", cfg.Listen}}
	for _, c := range cfg.Clients.All() {
		if c.Listen != "" {
			list = append(list, listener{"client." + c.Name + ".listen", c.Listen})
		}
	}
	return list
}

// LoadAdmin reads the [admin] table and where the proxy listens, and nothing else: who
// asks how the proxy is may be kept from its keys, and what is wrong with the rest of
// the file is not in force.
func LoadAdmin(src Source) (admin Admin, listen string, err error) {
	l := &loader{src: src}
	listen = DefaultListen
	path, named := l.findFile()
	if path == "" {
		return Admin{}, listen, nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Admin{}, "", err
	}
	text, err := src.Reading.readFile(abs, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return Admin{}, listen, nil
	case err != nil:
		return Admin{}, "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	if doc := parseDocument(&l.report, path, abs, src.HomeDir, string(text)); doc != nil {
		admin = readAdmin(doc.root.table("admin", adminHint), nil)
		if s, ok := doc.root.text("listen"); ok {
			listen = s // what is wrong with it is said when it is listened on
		}
	}
	return admin, listen, l.err()
}
