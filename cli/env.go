package cli

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ghapp-proxy/config"
	"ghapp-proxy/github"

	"github.com/spf13/cobra"
)

// envFlags are the flags of `env`.
type envFlags struct {
	proxyURL, ca, dir, shell string
	hosts                    []string
	oidc                     oidcFlags
}

func newEnv(s *settings) *cobra.Command {
	var flags envFlags
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the variables with which tools use a running proxy",
		Long: `Print the variables with which tools use a running "ghapp-proxy serve", here or on
another machine, and write the files that they name:

  eval "$(ghapp-proxy env)"                                         a shell
  ghapp-proxy env | source                                          fish
  ghapp-proxy env --shell powershell | Out-String | Invoke-Expression
  ghapp-proxy env --shell github-actions >> "$GITHUB_ENV"           the next steps
  eval "docker run $(ghapp-proxy env --shell docker --proxy-url http://HOST:8080) IMAGE"

--shell gitlab prints the variables keyword of .gitlab-ci.yml, for jobs that see
the files at the same path. They reach the runner's own git as well, which does
not see the files: where that matters, begin the script with the eval above.
--shell json prints an object. GitHub does not let steps set NODE_OPTIONS, which
Node older than 22.21 needs: github-actions leaves it out.

The certificates to trust are those in the state directory if an App is
configured here; if not they are fetched from http://PROXY/ca.pem, which trusts
the network in between. --ca names a file of them instead.

--oidc exchanges a token that says who this job is for a grant at the proxy, which the
printed URL has then: one that GitHub Actions gives the job, of a variable as GitLab's
id_tokens set it, or of a file as Kubernetes projects it.

  eval "$(ghapp-proxy env --proxy-url http://HOST:8080 --oidc env:GHAPP_TOKEN)"

For Java the proxy must be one that asks for no password.`,
		Args: func(cmd *cobra.Command, args []string) error {
			return flags.failed(cmd, noArgs(cmd, args))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
			if err != nil {
				return flags.failed(cmd, err)
			}
			text, err := flags.run(cmd.Context(), cfg, cmd.ErrOrStderr())
			if err != nil {
				return flags.failed(cmd, &statusError{exitConfig, err})
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return flags.failed(cmd, cmd.Root().FlagErrorFunc()(cmd, err))
	})
	cmd.Flags().StringVar(&flags.proxyURL, "proxy-url", "", "`URL` of the proxy as the tools reach it, with USER:PASSWORD@ if it asks for a password (default: the configured address)")
	cmd.Flags().StringVar(&flags.ca, "ca", "", "`file` of the certificates to trust")
	cmd.Flags().StringVar(&flags.dir, "dir", "", "`directory` for the files that the variables name (default: env in the state directory, for docker env-docker)")
	cmd.Flags().StringVar(&flags.shell, "shell", "", "for `what`: bash, fish, powershell, github-actions, gitlab, docker or json (default: the shell of $SHELL)")
	flags.oidc.add(cmd)
	cmd.Flags().StringSliceVar(&flags.hosts, "host", nil, "`GitHub` that the proxy serves, may be repeated (default: those of the configured Apps, else github.com)")
	return cmd
}

// failed prints what makes fail whatever evaluates the output, since a shell
// forgets the status of a command within eval. It returns err.
func (flags *envFlags) failed(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	form, unknown := chooseFormat(flags.shell, os.Getenv("SHELL"))
	if unknown != nil {
		form = &formats[0]
	}
	if _, writeErr := io.WriteString(cmd.OutOrStdout(), form.failed); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	return err
}

// run writes the files and returns what to print.
func (flags *envFlags) run(ctx context.Context, cfg *config.Config, stderr io.Writer) ([]byte, error) {
	format, err := chooseFormat(flags.shell, os.Getenv("SHELL"))
	if err != nil {
		return nil, err
	}
	address, err := proxyAddress(cfg, flags.proxyURL)
	if err != nil {
		return nil, err
	}
	served, err := flags.served(cfg)
	if err != nil {
		return nil, err
	}
	ca, err := flags.authorities(ctx, cfg, address, stderr)
	if err != nil {
		return nil, err
	}
	if flags.oidc.source != "" {
		vouched := ca
		if flags.isUnvouched(cfg, address) {
			vouched = nil // then the system's roots say who may have the token
		}
		if err := flags.oidc.exchange(ctx, address, vouched); err != nil {
			return nil, err
		}
	}
	files, err := flags.files(cfg, format, ca)
	if err != nil {
		return nil, err
	}
	files.secure = address.Scheme == "https"
	found, notes, err := files.write()
	if err != nil {
		return nil, err
	}
	env := environment{proxy: address, served: served, trust: found, git: !format.elsewhere && gitInstalled()}
	var note string
	if env.open, note = flags.open(cfg, address); note != "" {
		notes = append(notes, note)
	}
	if format.mount != "" && config.IsLoopback(net.JoinHostPort(address.Hostname(), portOf(address))) {
		notes = append(notes, "in a container "+address.Hostname()+" is the container: name another address of the proxy with --proxy-url")
	}
	for _, note := range notes {
		fmt.Fprintln(stderr, "ghapp-proxy: warning:", note)
	}
	if address.User != nil && format.mask != nil {
		for _, secret := range secretForms(address.User) {
			io.WriteString(stderr, format.mask(secret))
		}
	}
	vars := slices.DeleteFunc(env.variables(files.has), func(v variable) bool { return slices.Contains(format.without, v.name) })
	return format.write(output{vars: vars, dir: files.dir})
}

// open is the proxy for tools that send it no password and speak no TLS to it, nil if it
// is none for them; note says why.
func (flags *envFlags) open(cfg *config.Config, address *url.URL) (open *url.URL, note string) {
	switch {
	case address.User != nil:
		return nil, "the proxy asks for a password, which Java never sends: its variables were left out"
	case address.Scheme == "http":
		return address, ""
	case flags.proxyURL == "" && cfg.Form == config.FormBoth:
		return &url.URL{Scheme: "http", Host: address.Host}, ""
	}
	return nil, "Java speaks no TLS to a proxy: its variables were left out; docs/tls.md says which tools do not, either"
}

// secretForms are the forms in which a password gets into logs: as it is, and as
// Proxy-Authorization has it.
func secretForms(user *url.Userinfo) []string {
	password, _ := user.Password()
	return []string{password, base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))}
}

// proxyUser matches what clients agree on in the user and the password of a
// proxy: some send escapes as they are, some send nothing if one is missing.
var proxyUser = regexp.MustCompile(`^[A-Za-z0-9._~-]+:[A-Za-z0-9._~-]+$`)

// proxyAddress reads the proxy's URL, by default the configured address. Its
// errors do not quote the URL: it may have a password.
func proxyAddress(cfg *config.Config, proxyURL string) (*url.URL, error) {
	address, err := url.Parse(cmp.Or(proxyURL, ownURL(cfg).String()))
	switch {
	case err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" || strings.Trim(address.Path, "/") != "" || address.RawQuery != "" || address.Fragment != "":
		return nil, errors.New("--proxy-url: not a URL such as http://127.0.0.1:8080 or https://proxy.example.com:8443")
	case address.User != nil && !proxyUser.MatchString(address.User.String()):
		return nil, errors.New("--proxy-url: give both a user and a password, of letters, digits and ._~- alone: some tools cannot send others")
	case address.Port() == "0":
		return nil, errors.New("the proxy listens on a random port: name it with --proxy-url")
	}
	if ip := net.ParseIP(address.Hostname()); ip != nil && ip.IsUnspecified() {
		return nil, errors.New("the proxy listens on every address: name one of them with --proxy-url")
	}
	address.Path = "" // some tools trip over a slash
	return address, nil
}

// served are the GitHubs that the proxy serves.
func (flags *envFlags) served(cfg *config.Config) ([]github.Instance, error) {
	var list []github.Instance
	for _, host := range flags.hosts {
		instance, err := github.ParseInstance(host)
		if err != nil {
			return nil, fmt.Errorf("--host: %w", err)
		}
		list = append(list, instance)
	}
	if list == nil {
		list = instances(cfg)
	}
	if list == nil {
		list = []github.Instance{github.GitHubCom}
	}
	return list, nil
}

// authorities returns the certificates to trust.
func (flags *envFlags) authorities(ctx context.Context, cfg *config.Config, address *url.URL, stderr io.Writer) ([]byte, error) {
	if flags.ca != "" {
		return readCA(flags.ca)
	}
	if len(cfg.Apps) > 0 {
		cas, err := openAuthorities(cfg, onDisk(cfg))
		if err != nil {
			return nil, err
		}
		return cas.pem(), nil
	}
	ca, err := fetchCA(ctx, address)
	if err == nil && flags.isUnvouched(cfg, address) {
		fmt.Fprintf(stderr, "ghapp-proxy: warning: nobody vouches for the certificate that was fetched: whoever controls the network to %s could have put in another; --ca FILE is safe\n", address.Host)
	}
	return ca, err
}

// isUnvouched reports whether the CA comes from the network, where others may be in between.
func (flags *envFlags) isUnvouched(cfg *config.Config, address *url.URL) bool {
	return flags.ca == "" && len(cfg.Apps) == 0 && !config.IsLoopback(net.JoinHostPort(address.Hostname(), portOf(address)))
}

// files are the files to write, in a directory that exists.
func (flags *envFlags) files(cfg *config.Config, format *format, ca []byte) (*trustFiles, error) {
	files := &trustFiles{ca: ca, dir: flags.dir, seenAs: format.mount, mode: 0o644, has: os.LookupEnv, earlier: envDir(cfg)}
	if format.elsewhere {
		files.has = rootsOf(os.LookupEnv)
	} else if home, err := os.UserHomeDir(); err == nil {
		files.home = home
	}
	if files.dir == "" {
		if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
			return nil, err
		}
		files.dir = envDir(cfg)
		if format.mount != "" {
			files.dir += "-" + format.names[0] // the paths in it are others
		}
	}
	var err error
	if files.dir, err = filepath.Abs(files.dir); err != nil {
		return nil, err
	}
	return files, makeShared(files.dir)
}

// rootsOf leaves of an environment what names the certificates that everything
// trusts: a machine's other settings are not those of a container on it.
func rootsOf(has lookup) lookup {
	return func(name string) (string, bool) {
		if name != "SSL_CERT_FILE" && name != "SSL_CERT_DIR" {
			return "", false
		}
		return has(name)
	}
}

// envDir is where `env` keeps the files that tools read.
func envDir(cfg *config.Config) string { return filepath.Join(cfg.StateDir, "env") }
