package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"ghapp-proxy/certs"
	"ghapp-proxy/github"

	"github.com/spf13/cobra"
)

func newCAInit() *cobra.Command {
	var out string
	var hosts []string
	cmd := &cobra.Command{
		Use:   "init --out DIR",
		Short: "Make a CA for several replicas",
		Long: `Make a CA for replicas that have no state in common, in a directory: one for all GitHub
instances that --host names. No configuration is needed. The file that ends in .key has
the certificate and the key, and is what ca.cert_file and ca.key_file name; the other is
what clients must trust. In Kubernetes the first is a Secret, for example by
"kubectl create secret generic ghapp-proxy-ca --from-file=DIR/github.com.key". TLS
sessions of one replica are resumed at another that has it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return &statusError{exitConfig, errors.New("--out DIR is missing: where the CA is to be")}
			}
			spec, err := specOf(hosts)
			if err != nil {
				return &statusError{exitConfig, err}
			}
			if _, err := certs.Open(out, spec); err != nil {
				return err
			}
			name := filepath.Join(out, spec.Instance)
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s.key is for ca.cert_file and ca.key_file of each replica, and a secret\n%s.pem is what clients must trust\n", name, name)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the `directory`, which is made; a CA that is there already stays")
	cmd.Flags().StringSliceVar(&hosts, "host", []string{string(github.GitHubCom)}, "GitHub `instances` that it is for: github.com, SUBDOMAIN.ghe.com, or a GitHub Enterprise Server")
	return cmd
}

// specOf is one CA for some instances.
func specOf(hosts []string) (spec certs.Spec, err error) {
	for _, host := range hosts {
		instance, err := github.ParseInstance(host)
		if err != nil {
			return spec, fmt.Errorf("--host %q: %w", host, err)
		}
		if spec.Instance == "" {
			spec.Instance = string(instance)
		}
		spec.Domains = append(spec.Domains, instance.Domains()...)
		for _, h := range instance.Hosts() {
			spec.Hosts = append(spec.Hosts, h.Name)
		}
	}
	return spec, nil
}
