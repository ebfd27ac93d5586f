package cli

import (
	"os/exec"
	"strconv"
	"strings"

	"ghapp-proxy/github"
)

// gitConfig is git's configuration from the environment (git-config(1),
// GIT_CONFIG_COUNT): behind what is there already, because of entries for one
// key the last one counts.
func (e *environment) gitConfig(has lookup) []variable {
	const key, value = "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"
	own, _ := has("GIT_CONFIG_COUNT")
	count, err := strconv.Atoi(own)
	if err != nil || count < 0 {
		count = 0 // git would refuse to work
	}
	entries := e.gitEntries()
	start := count
	if first := count - len(entries); first >= 0 && heldAt(has, first, entries) {
		start = first // of an earlier `env`
	}
	vars := []variable{{"GIT_CONFIG_COUNT", strconv.Itoa(start + len(entries))}}
	for i, entry := range entries {
		n := strconv.Itoa(start + i)
		vars = append(vars, variable{key + n, entry.name}, variable{value + n, entry.value})
	}
	return vars
}

// gitInstead are what make tools run git that otherwise speak its protocol by
// themselves, and then know neither the rewriting of URLs nor, some, the proxy's password.
var gitInstead = []string{
	"CARGO_NET_GIT_FETCH_WITH_CLI",          // doc.rust-lang.org/cargo, "Configuration"
	"POETRY_SYSTEM_GIT_CLIENT",              // python-poetry.org, "Configuration"
	"POETRY_EXPERIMENTAL_SYSTEM_GIT_CLIENT", // before Poetry 2
}

// gitInstalled reports whether what runs here finds git.
func gitInstalled() bool {
	_, err := exec.LookPath("git")
	return err == nil
}

// heldAt reports whether the environment holds the entries from number first on.
func heldAt(has lookup, first int, entries []variable) bool {
	for i, entry := range entries {
		n := strconv.Itoa(first + i)
		key, _ := has("GIT_CONFIG_KEY_" + n)
		value, _ := has("GIT_CONFIG_VALUE_" + n)
		if key != entry.name || value != entry.value {
			return false
		}
	}
	return true
}

// gitEntries are the keys and values for git. A proxy in a configuration file
// would beat the environment's, the more specific one most, and an empty one
// turns it off; what is fetched over SSH would not come past.
func (e *environment) gitEntries() []variable {
	proxy := e.proxy.String()
	entries := []variable{{"http.proxy", proxy}}
	for _, instance := range e.served {
		base := "https://" + string(instance) + "/"
		entries = append(entries, variable{"http." + base + ".proxy", proxy})
		for _, prefix := range sshPrefixes(instance) {
			entries = append(entries, variable{"url." + base + ".insteadOf", prefix})
		}
	}
	return entries
}

// sshPrefixes are what URLs begin with that reach an instance's repositories
// over SSH (git-clone(1), "GIT URLS"), and over git's own protocol, which GitHub
// no longer speaks. Of several that match, git takes the longest.
func sshPrefixes(instance github.Instance) []string {
	host := string(instance)
	prefixes := []string{"ssh://" + host + "/", "git://" + host + "/"}
	users := []string{"git"}
	// With data residency the tenant's name is the user's (cli/cli,
	// internal/ghrepo, FormatRemoteURL).
	if tenant, ok := strings.CutSuffix(host, ".ghe.com"); ok {
		users = append(users, tenant)
	}
	for _, user := range users {
		at := user + "@" + host
		prefixes = append(prefixes, at+":", at+":/",
			"ssh://"+at+"/", "ssh://"+at+":22/",
			"git+ssh://"+at+"/", "ssh+git://"+at+"/") // git knows these two still
	}
	if instance == github.GitHubCom {
		// docs.github.com, "Using SSH over the HTTPS port".
		prefixes = append(prefixes, "ssh://git@ssh.github.com:443/")
	}
	return prefixes
}
