package test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/internal/freeport"
	"ghapp-proxy/oidc/oidctest"
)

// TestActionWithToken runs a job that uses a proxy elsewhere by its own token: neither the
// job nor its repository has a secret.
func TestActionWithToken(t *testing.T) {
	needs(t, "node", "bash", "curl", "gh", "git")
	github, issuer := newGitHub(t), oidctest.New()
	t.Cleanup(issuer.Close)
	issuer.Job = map[string]any{
		"sub": "repo:acme/widgets:ref:refs/heads/task", "jti": "1", "repository": "acme/widgets", "repository_owner_id": "65", "ref": "refs/heads/task",
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "issuer.pem"), issuer.RootsPEM())
	writeFile(t, filepath.Join(dir, "github.pem"), github.CAPEM())
	writeFile(t, filepath.Join(dir, "key.pem"), github.App("ci-bot").PrivateKeyPEM())
	var to []string
	for from, address := range github.ConnectTo() {
		to = append(to, fmt.Sprintf("%q = %q", from, address))
	}
	at := freeport.Address(t)
	writeFile(t, filepath.Join(dir, "config.toml"), []byte(`listen = "`+at+`"
state_dir = "state"
[app.ci-bot]
id = `+strconv.FormatInt(github.App("ci-bot").ID, 10)+`
private_key_file = "key.pem"
[upstream]
ca_file = "github.pem"
connect_to = { `+strings.Join(to, ", ")+` }
[[issuer]]
name = "github-actions"
url = "`+issuer.URL+`"
ca_file = "issuer.pem"
audience = "ghapp-proxy"
replay = "refuse"
[client.release]
oidc = { issuer = "github-actions", claims = { repository_owner_id = 65, ref = "refs/heads/**" } }
repositories = ["{repository}"]
push = ["refs/heads/{ref_name}"]
`))
	exe := filepath.Join(dir, "ghapp-proxy")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	serve := exec.CommandContext(t.Context(), exe, "serve", "-c", filepath.Join(dir, "config.toml"))
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { serve.Process.Kill(); serve.Wait() })
	for deadline := time.Now().Add(time.Minute); exec.Command("curl", "-sf", "--noproxy", "*", "http://"+at+"/ca.pem").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the proxy does not answer")
		}
	}

	a, r := loadAction(t), newRunner(t, github)
	delete(r.env, "HTTPS_PROXY")
	r.env["SSL_CERT_FILE"] = filepath.Join(dir, "issuer.pem")
	r.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = issuer.URL + "/actions/token?api-version=2.0"
	r.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = oidctest.ActionsToken
	out, err := a.main(r, map[string]string{"oidc": "true", "proxy-url": "http://" + at, "binary": exe})
	if err != nil {
		t.Fatalf("the Action: %v\n%s", err, out)
	}
	secret := r.env["HTTPS_PROXY"]
	if !strings.HasPrefix(secret, "http://release:ghapg_") || !strings.Contains(out, "::add-mask::"+strings.TrimPrefix(strings.Split(secret, "@")[0], "http://release:")) {
		t.Fatalf("HTTPS_PROXY is %s, and the log\n%s", secret, out)
	}
	if strings.Contains(out, "eyJhbGci") || strings.Contains(r.outputs["proxy-url"], "ghapg_") {
		t.Errorf("a secret is shown: %v\n%s", r.outputs, out)
	}
	out, err = r.bash(`
gh api /repos/acme/widgets --jq .full_name
git clone -q https://github.com/acme/widgets clone
git -C clone -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m task
git -C clone push -q origin HEAD:refs/heads/task
! git -C clone push -q origin HEAD:refs/heads/main
! git clone -q https://github.com/acme/rockets
`)
	if err != nil || !strings.Contains(out, "client release may not push to") || !strings.Contains(out, "client release is not granted the repository acme/rockets") {
		t.Errorf("the steps: %v\n%s", err, out)
	}
	noSecrets(t, github, out)
	if out, err = a.post(r); err != nil || out != "" || r.env["HTTPS_PROXY"] != "" {
		t.Errorf("the end: %v, HTTPS_PROXY=%q\n%s", err, r.env["HTTPS_PROXY"], out)
	}
}
