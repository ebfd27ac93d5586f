package test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/githubtest"
)

// runner does for an Action what GitHub's runner does: it gives each step files to
// write to, and the next one what was written.
type runner struct {
	t    *testing.T
	temp string // RUNNER_TEMP
	env  map[string]string
	// What the steps wrote.
	state, outputs map[string]string
	summary        string
}

// newRunner has nothing in its environment but what a runner behind a company's
// proxy has, which leads to the fake GitHub.
func newRunner(t *testing.T, github *githubtest.Server) *runner {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "corporate.pem")
	writeFile(t, ca, github.CAPEM())
	r := &runner{t: t, temp: filepath.Join(dir, "temp"), state: make(map[string]string), outputs: make(map[string]string)}
	for _, sub := range []string{"temp", "home", "work"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": filepath.Join(dir, "home"), "CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": r.temp,
		"GITHUB_WORKSPACE": filepath.Join(dir, "work"), "GITHUB_SERVER_URL": "https://github.com", "GIT_CONFIG_NOSYSTEM": "1",
		"HTTPS_PROXY": companyProxy(t, github), "SSL_CERT_FILE": ca,
		"GOCACHE": goEnv(t, "GOCACHE"), "GOMODCACHE": goEnv(t, "GOMODCACHE"), "GOPROXY": "off",
	}
	return r
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// run runs a step, with inputs where it is an Action's, and returns what it printed.
func (r *runner) run(inputs map[string]string, command ...string) (output string, err error) {
	r.t.Helper()
	env := maps.Clone(r.env)
	files := make(map[string]string)
	for _, purpose := range []string{"ENV", "OUTPUT", "STATE", "STEP_SUMMARY", "PATH"} {
		files[purpose] = filepath.Join(r.t.TempDir(), purpose)
		writeFile(r.t, files[purpose], nil)
		env["GITHUB_"+purpose] = files[purpose]
	}
	for name, value := range inputs {
		env["INPUT_"+strings.ReplaceAll(strings.ToUpper(name), " ", "_")] = value
	}
	if inputs != nil {
		for name, value := range r.state {
			env["STATE_"+name] = value
		}
	}
	cmd := exec.CommandContext(r.t.Context(), command[0], command[1:]...)
	cmd.Dir = env["GITHUB_WORKSPACE"]
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	maps.Copy(r.env, commandFile(r.t, readFile(r.t, files["ENV"])))
	maps.Copy(r.outputs, commandFile(r.t, readFile(r.t, files["OUTPUT"])))
	maps.Copy(r.state, commandFile(r.t, readFile(r.t, files["STATE"])))
	r.summary += readFile(r.t, files["STEP_SUMMARY"])
	return string(out), err
}

// bash runs a step's script as the runner does.
func (r *runner) bash(script string) (string, error) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "step.sh")
	writeFile(r.t, file, []byte(script))
	return r.run(nil, "bash", "--noprofile", "--norc", "-eo", "pipefail", file)
}

// commandFile reads what a step wrote for the runner: NAME=VALUE, or NAME<<END,
// lines, END (docs.github.com, "Workflow commands for GitHub Actions").
func commandFile(t *testing.T, text string) map[string]string {
	t.Helper()
	values := make(map[string]string)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, end, isLong := strings.Cut(lines[i], "<<")
		if !isLong || strings.Contains(name, "=") {
			name, value, ok := strings.Cut(lines[i], "=")
			if !ok && lines[i] != "" {
				t.Errorf("the runner cannot read %q", lines[i])
			}
			if ok {
				values[name] = value
			}
			continue
		}
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		values[name] = strings.Join(value, "\n")
	}
	if _, ok := values["NODE_OPTIONS"]; ok {
		t.Error("the runner lets no step set NODE_OPTIONS")
	}
	return values
}

// companyProxy is an HTTP proxy through which everything leads to the fake GitHub.
func companyProxy(t *testing.T, github *githubtest.Server) string {
	t.Helper()
	to := github.ConnectTo()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		address, ok := to[req.Host]
		if req.Method != http.MethodConnect || !ok {
			http.Error(w, fmt.Sprintf("%s %s", req.Method, req.Host), http.StatusForbidden)
			return
		}
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer upstream.Close()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			defer upstream.Close()
			io.Copy(upstream, conn)
		}()
		io.Copy(conn, upstream)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
