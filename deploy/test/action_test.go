package test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ghapp-proxy/githubtest"

	"sigs.k8s.io/yaml"
)

// action is action.yml (docs.github.com, "Metadata syntax reference").
type action struct {
	Name, Description, Author string
	Inputs                    map[string]struct {
		Description string
		Required    bool
		Default     string
	}
	Outputs map[string]struct{ Description string }
	Runs    struct {
		Using, Main, Post string
		PostIf            string `json:"post-if"`
	}
	Branding struct{ Icon, Color string }
}

func loadAction(t *testing.T) (a action) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(readFile(t, "../../action.yml")), &a); err != nil {
		t.Fatal(err)
	}
	if a.Runs.Using != "node24" || a.Runs.PostIf != "always()" {
		t.Fatalf("runs: %+v", a.Runs)
	}
	return a
}

// main and post run the Action's two halves.
func (a *action) main(r *runner, inputs map[string]string) (string, error) {
	r.t.Helper()
	for name := range inputs {
		if _, ok := a.Inputs[name]; !ok {
			r.t.Errorf("action.yml has no input %s", name)
		}
	}
	all := make(map[string]string)
	for name, in := range a.Inputs {
		all[name] = in.Default
		if value, ok := inputs[name]; ok {
			all[name] = value
		}
	}
	return r.run(all, "node", absolute(r.t, a.Runs.Main))
}

func (a *action) post(r *runner) (string, error) {
	r.t.Helper()
	return r.run(map[string]string{}, "node", absolute(r.t, a.Runs.Post))
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// needs skips where a program is not installed, unless all must be.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// TestAction runs a job with the Action, built from source, on a runner behind a
// company's proxy.
func TestAction(t *testing.T) {
	needs(t, "node", "bash", "curl", "gh", "git")
	github := newGitHub(t)
	key := github.App("ci-bot").PrivateKeyPEM()
	a, r := loadAction(t), newRunner(t, github)
	before := r.env["HTTPS_PROXY"]
	out, err := a.main(r, map[string]string{"app-id": strconv.FormatInt(github.App("ci-bot").ID, 10), "private-key": string(key)})
	if err != nil {
		t.Fatalf("the Action: %v\n%s", err, out)
	}
	pid, err := strconv.Atoi(r.state["pid"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	for line := range strings.Lines(string(key)) {
		if masked := "::add-mask::" + line; strings.TrimSpace(line) != "" && !strings.Contains(out, masked) {
			t.Fatal("a line of the key is not masked")
		}
	}
	for name := range a.Outputs {
		if r.outputs[name] == "" {
			t.Errorf("there is no output %s", name)
		}
	}
	out, err = r.bash(`
curl -sSf https://api.github.com/repos/acme/widgets | grep -o '"full_name": *"acme/widgets"'
gh api /repos/acme/widgets --jq .full_name
git clone -q https://github.com/acme/widgets clone && ls clone
curl -sS -X POST https://api.github.com/app/installations/111/access_tokens
env
`)
	if err != nil || !strings.Contains(out, "ghapp-proxy: this operation hands out a credential") {
		t.Errorf("a step that uses it: %v\n%s", err, out)
	}
	noSecrets(t, github, out)
	noSecretsBelow(t, github, r.temp)

	out, err = a.post(r)
	if err != nil || out != "" {
		t.Errorf("the end: %v\n%s", err, out)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the proxy is still there")
	}
	if r.env["HTTPS_PROXY"] != before {
		t.Errorf("what comes after it has HTTPS_PROXY=%q, want %q", r.env["HTTPS_PROXY"], before)
	}
	for _, want := range []string{"| acme/widgets | installation | 111 |", "POST api.github.com/app/installations/111/access", "hands out a credential"} {
		if !strings.Contains(strings.ReplaceAll(r.summary, "&#95;", "_"), want) {
			t.Errorf("the summary does not say %q:\n%s", want, r.summary)
		}
	}
	noSecrets(t, github, r.summary)
	if !slices.ContainsFunc(github.Requests(), func(req *githubtest.Request) bool {
		return req.Method == "DELETE" && req.Path() == "/installation/token"
	}) {
		t.Error("the token was not revoked")
	}
	left := noSecretsBelow(t, github, r.temp)
	for _, path := range left {
		if filepath.Base(filepath.Dir(path)) != "trust" {
			t.Errorf("%s is left", path)
		}
	}
}

// TestActionFails: what is missing is said, and nothing is left running.
func TestActionFails(t *testing.T) {
	needs(t, "node")
	github := newGitHub(t)
	a := loadAction(t)
	for _, test := range []struct {
		inputs map[string]string
		want   string
	}{
		{map[string]string{"binary": "/bin/true"}, "::error::app-id is missing"},
		{map[string]string{"binary": "/bin/true", "app-id": "1"}, "::error::private-key is missing"},
		{map[string]string{"binary": "/bin/true", "app-id": "1\"\nlisten = \"0.0.0.0:1", "private-key": "x"}, "::error::app-id is missing, or is no id"},
		{map[string]string{"binary": "/bin/false", "app-id": "1", "private-key": "x"}, "::error::the proxy did not start"},
	} {
		r := newRunner(t, github)
		out, err := a.main(r, test.inputs)
		if err == nil || !strings.Contains(out, test.want) {
			t.Errorf("%v: %v %q, want %q", test.inputs, err, out, test.want)
		}
		if out, err := a.post(r); err != nil {
			t.Errorf("the end after %v: %v %s", test.inputs, err, out)
		}
	}
}

func noSecrets(t *testing.T, github *githubtest.Server, text string) {
	t.Helper()
	if leaks := github.Leaks([]byte(text)); len(leaks) > 0 {
		t.Errorf("there are %d secrets in %d bytes of text", len(leaks), len(text))
	}
}

// noSecretsBelow looks into all files below a directory, and returns their paths.
func noSecretsBelow(t *testing.T, github *githubtest.Server, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files = append(files, path)
		if leaks := github.Leaks([]byte(readFile(t, path))); len(leaks) > 0 {
			t.Errorf("%s has %d secrets", path, len(leaks))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
