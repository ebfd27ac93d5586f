package cli

import (
	"slices"
	"strings"
	"unicode"

	"ghapp-proxy/github"
)

// local is what the proxy is never asked for: from a container it would reach
// another machine's.
var local = []string{"localhost", "127.0.0.1"}

// noProxy is a NO_PROXY without the entries that would take requests for a
// served host past the proxy, and with what is local. Clients disagree on what
// an entry matches, so everything that any of them could mean is dropped.
func (e *environment) noProxy(own string) string {
	var kept []string
	for _, entry := range strings.FieldsFunc(own, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		if !e.excepts(entry) {
			kept = append(kept, entry)
		}
	}
	for _, name := range local {
		if !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return strings.Join(kept, ",")
}

func (e *environment) excepts(entry string) bool {
	name, _ := github.SplitHost(entry)
	name = strings.TrimLeft(name, "*.")
	for _, instance := range e.served {
		for _, host := range instance.Hosts() {
			if name == "" || host.Name == name || strings.HasSuffix(host.Name, "."+name) {
				return true
			}
		}
	}
	return false
}
