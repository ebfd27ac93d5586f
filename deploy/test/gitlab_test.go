package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ghapp-proxy/internal/freeport"

	"sigs.k8s.io/yaml"
)

// TestGitLab runs a job that extends .ghapp-proxy as GitLab's runner does: before_script
// and script are one script, of which bash makes what the runner's log has.
func TestGitLab(t *testing.T) {
	needs(t, "bash", "curl", "git")
	var file map[string]struct {
		Variables    map[string]string
		BeforeScript []string `json:"before_script"`
	}
	if err := yaml.UnmarshalStrict([]byte(readFile(t, "../gitlab/ghapp-proxy.yml")), &file); err != nil {
		t.Fatal(err)
	}
	github := newGitHub(t)
	job, r := file[".ghapp-proxy"], newRunner(t, github)
	key := filepath.Join(t.TempDir(), "key.pem")
	writeFile(t, key, github.App("ci-bot").PrivateKeyPEM())
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", filepath.Join(bin, "ghapp-proxy"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for name, value := range job.Variables {
		r.env[name] = value
	}
	r.env["PATH"] = bin + ":" + r.env["PATH"]
	r.env["TMPDIR"] = r.temp
	r.env["GHAPP_PROXY_URL"] = "http://" + freeport.Address(t)
	r.env["GITHUB_APP_ID"] = strconv.FormatInt(github.App("ci-bot").ID, 10)
	r.env["GITHUB_APP_PRIVATE_KEY_PATH"] = key
	for _, test := range []struct {
		name, script string
		fails        bool
	}{
		{"job", "curl -sSf https://api.github.com/repos/acme/widgets | grep -o '\"full_name\": *\"acme/widgets\"'\ngit clone -q https://github.com/acme/widgets widgets\nls widgets\nenv", false},
		{"a step that fails", "curl -sSf https://api.github.com/repos/acme/none\necho goes on", true},
		{"what is refused", "curl -sS -X POST https://api.github.com/app/installations/111/access_tokens", false},
	} {
		script := strings.Join(job.BeforeScript, "\n") + "\n" + test.script
		out, err := r.bash("set -eo pipefail\n: | eval " + bashQuote(script) + "\n")
		if (err != nil) != test.fails || strings.Contains(out, "goes on") {
			t.Errorf("%s: %v\n%s", test.name, err, out)
		}
		if test.name == "job" && strings.Contains(out, key) {
			t.Errorf("the job's commands are told where the key is:\n%s", out)
		}
		if test.name == "what is refused" && strings.Count(out, "hands out a credential") != 2 {
			t.Errorf("the job's log does not say what was refused:\n%s", out)
		}
		noSecrets(t, github, out)
		left, err := os.ReadDir(r.temp)
		if err != nil || len(left) > 0 {
			t.Errorf("%s: left: %v %v", test.name, left, err)
		}
	}
}

func bashQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
