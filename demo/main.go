// Demo runs ghapp-proxy in front of a fake GitHub, so that everything can be
// tried offline in one command:
//
//	go run ./demo                               a short tour, then it stays up
//	go run ./demo -once                         the tour alone
//	go run ./demo -- gh repo view acme/widgets  one command of your own
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ghapp-proxy/certs"
	"ghapp-proxy/cli"
	"ghapp-proxy/githubtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	once := flag.Bool("once", false, "end after the tour")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./demo [-once | -- COMMAND [ARG…]]")
		flag.PrintDefaults()
	}
	flag.Parse()
	status, err := demo(ctx, flag.Args(), !*once)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		status = 1
	}
	os.Exit(status)
}

// demo sets the world up and runs the command, or the tour if there is none.
func demo(ctx context.Context, command []string, stay bool) (status int, err error) {
	dir, err := os.MkdirTemp("", "ghapp-proxy-demo-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	github, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		return 0, err
	}
	defer github.Close()
	config, err := writeConfig(dir, github)
	if err != nil {
		return 0, err
	}
	if len(command) == 0 {
		return 0, tour(ctx, github, dir, config, stay)
	}
	status = cli.Run(ctx, slices.Concat([]string{"run", "--config", config, "--"}, command), os.Stdout, os.Stderr)
	fmt.Fprintln(os.Stderr, "\nWhat the fake GitHub received:")
	for _, request := range github.Requests() {
		fmt.Fprintln(os.Stderr, "  "+received(request))
	}
	return status, nil
}

// ownRoots are variables by which single tools trust something else than
// SSL_CERT_FILE: the fake would not be among it.
var ownRoots = []string{"CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"}

// writeConfig writes the keys of the fake's Apps and a configuration that
// reaches it. The child of the demo trusts the fake where it is tunnelled.
func writeConfig(dir string, github *githubtest.Server) (path string, err error) {
	var connectTo []string
	for from, to := range github.ConnectTo() {
		connectTo = append(connectTo, fmt.Sprintf("%q = %q", from, to))
	}
	slices.Sort(connectTo)
	roots, err := certs.SystemRoots{File: os.Getenv("SSL_CERT_FILE"), Dirs: os.Getenv("SSL_CERT_DIR")}.Bundle(github.CAPEM())
	if err != nil {
		roots = github.CAPEM() // a machine that trusts nobody yet
	}
	text := fmt.Sprintf(`listen = "127.0.0.1:0"
state_dir = "state"

[app.ci-bot]
id = %d
private_key_file = "ci-bot.pem"
default_installation = 111  # for requests that name no owner
[app.ci-bot.installations]
acme = 111                  # the other owners are discovered

[app.release-bot]
id = %d
private_key_file = "release-bot.pem"
[app.release-bot.installations]
globex = 222

[upstream]                  # only because this is no real GitHub
ca_file = "github-ca.pem"
connect_to = {
  %s
}
`, github.App("ci-bot").ID, github.App("release-bot").ID, strings.Join(connectTo, ",\n  "))
	for name, content := range map[string][]byte{
		"config.toml":     []byte(text),
		"ci-bot.pem":      github.App("ci-bot").PrivateKeyPEM(),
		"release-bot.pem": github.App("release-bot").PrivateKeyPEM(),
		"github-ca.pem":   github.CAPEM(),
		"roots.pem":       roots,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return "", err
		}
	}
	for _, name := range ownRoots {
		if err := os.Unsetenv(name); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "config.toml"), os.Setenv("SSL_CERT_FILE", filepath.Join(dir, "roots.pem"))
}

// received says what arrived at GitHub, without the credential.
func received(r *githubtest.Request) string {
	what := map[githubtest.CredentialKind]string{
		githubtest.CredentialNone:         "no credential",
		githubtest.CredentialJWT:          fmt.Sprintf("the JWT of App %d", r.App),
		githubtest.CredentialInstallation: fmt.Sprintf("a token of installation %d", r.Installation),
		githubtest.CredentialBasicToken:   fmt.Sprintf("a token of installation %d, as a password", r.Installation),
	}[r.Credential]
	if what == "" {
		what = "a credential it does not know"
	}
	scheme, _, _ := strings.Cut(r.Authorization(), " ")
	if scheme != "" {
		what += ` ("Authorization: ` + scheme + ` …")`
	}
	return fmt.Sprintf("%-4s https://%s%s with %s: %d", r.Method, r.Host, r.Path(), what, r.Status)
}
