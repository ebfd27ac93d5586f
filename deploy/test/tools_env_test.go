package test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/cli"
	"ghapp-proxy/githubtest"
)

var update = flag.Bool("update", false, "write the files that are made from the program")

const toolsIntro = `# What makes tools use the proxy and trust it, for a container that has its files in
# /etc/ghapp-proxy: ghapp-proxy env --shell docker --proxy-url %s
`

// TestToolsEnv compares the variables that the manifests give to tools with those
// that the program prints; go test -run TestToolsEnv -update . writes them.
func TestToolsEnv(t *testing.T) {
	for file, address := range map[string]string{
		"../compose/tools.env":            "http://proxy:8080",
		"../kubernetes/agent/tools.env":   "http://ghapp-proxy:8081",
		"../kubernetes/sidecar/tools.env": "http://127.0.0.1:8081",
	} {
		vars := toolsFor(t, address)
		text := strings.ReplaceAll(toolsIntro, "%s", address)
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			text += name + "=" + vars[name] + "\n"
		}
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got := readFile(t, file); got != text {
			t.Errorf("%s is not what `ghapp-proxy env` prints: run go test -run TestToolsEnv -update .", file)
		}
	}
}

// dockerVariable is one of env's flags for docker.
var dockerVariable = regexp.MustCompile(`-e '([^=']+)=([^']*)'`)

// toolsFor are the variables for tools in a container whose proxy is at an address.
func toolsFor(t *testing.T, address string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("GHAPP_PROXY_CONFIG", "")
	ca := dir + "/ca.pem"
	writeFile(t, ca, newGitHub(t).CAPEM())
	var out, log bytes.Buffer
	if status := cli.Run(t.Context(), []string{"env", "--shell", "docker", "--proxy-url", address, "--ca", ca, "--dir", dir + "/trust"}, &out, &log); status != 0 {
		t.Fatalf("env ended with %d: %s", status, &log)
	}
	vars := make(map[string]string)
	for _, match := range dockerVariable.FindAllStringSubmatch(out.String(), -1) {
		vars[match[1]] = match[2]
	}
	if len(vars) < 20 || vars["HTTPS_PROXY"] != address {
		t.Fatalf("env printed %q", &out)
	}
	return vars
}

// newGitHub is a fake GitHub that ends with the test.
func newGitHub(t *testing.T) *githubtest.Server {
	t.Helper()
	github, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := github.Close(); err != nil {
			t.Error(err)
		}
	})
	return github
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
