package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ghapp-proxy/certs"
	"ghapp-proxy/config"

	"github.com/spf13/cobra"
)

func newCA(s *settings) *cobra.Command {
	var path, bundle, renew, atOnce bool
	cmd := &cobra.Command{
		Use:   "ca [--path | --bundle | --renew [--at-once] [NAME]]",
		Short: "Print the certificate that clients must trust",
		Long: `Print the certificate that clients must trust, as PEM; create it on first use.
There is one for each GitHub instance, so that adding one leaves the others trusted.
It is good for all that GitHub serves below the same names. Should the proxy serve a
host with another name, that gets a certificate of its own, beside the first one,
which only those who use that host need trust. The NAME of a certificate is that of
its file without .pem.

After --renew clients may trust the certificate before or the new one, for 30 days or
until the day before the old one expires: what this prints has both. A proxy that runs
takes the new one by itself, or, with watch = false, by "ghapp-proxy reload".`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true})
			if err != nil {
				return err
			}
			if len(args) > 0 && !renew {
				return &statusError{exitConfig, errors.New("a NAME goes with --renew")}
			}
			if atOnce && !renew {
				return &statusError{exitConfig, errors.New("--at-once goes with --renew")}
			}
			if renew {
				replace := certs.Renew
				if atOnce {
					replace = certs.RenewAtOnce
				}
				return renewCA(cmd, cfg, args, replace)
			}
			cas, err := openAuthorities(cfg, onDisk(cfg))
			if err != nil {
				return &statusError{exitConfig, err}
			}
			return printCA(cmd, cfg, cas, path, bundle)
		},
	}
	cmd.Flags().BoolVar(&path, "path", false, "print where the certificate is kept")
	cmd.Flags().BoolVar(&bundle, "bundle", false, "print the system's roots as well: what SSL_CERT_FILE and its like should name")
	cmd.Flags().BoolVar(&renew, "renew", false, "replace the CA called NAME, by default each that is unusable or expires within 30 days")
	cmd.Flags().BoolVar(&atOnce, "at-once", false, "with --renew: without an overlap, for a key that somebody else may have")
	cmd.MarkFlagsMutuallyExclusive("path", "bundle", "renew")
	cmd.AddCommand(newCAInit())
	return cmd
}

func printCA(cmd *cobra.Command, cfg *config.Config, cas *authorities, path, bundle bool) error {
	text := cas.pem()
	switch {
	case path:
		text = nil
		for _, ca := range cas.all {
			if ca.Path() == "" {
				return errors.New("the files of [ca] hold more than the certificate to trust: save what `ghapp-proxy ca` prints")
			}
			text = fmt.Appendln(text, ca.Path())
		}
	case bundle:
		var err error
		if text, err = cas.bundle(cfg); err != nil {
			return err
		}
	}
	_, err := cmd.OutOrStdout().Write(text)
	return err
}

// renewCA replaces the CA named in args, or each that cannot be used.
func renewCA(cmd *cobra.Command, cfg *config.Config, args []string, replace func(dir string, spec certs.Spec, name string) (*certs.CA, error)) error {
	if cfg.CA.CertFile != "" {
		return errors.New("the CA is given by ca.cert_file and ca.key_file: replace these")
	}
	find := certs.Unfit
	if len(args) > 0 {
		find = func(dir string, spec certs.Spec) ([]string, error) {
			names, err := certs.Names(dir, spec)
			return slices.DeleteFunc(names, func(name string) bool { return name != args[0] }), err
		}
	}
	renewed := 0
	for _, spec := range specs(cfg) {
		names, err := find(caDir(cfg), spec)
		if err != nil {
			return err
		}
		for _, name := range names {
			ca, err := replace(caDir(cfg), spec, name)
			if err != nil {
				return err
			}
			renewed++
			by := "then"
			if end := ca.OverlapEnd(); !end.IsZero() {
				by = "by " + end.Format(time.DateOnly)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: renewed; clients must trust %s %s\n", name, ca.Path(), by)
		}
	}
	switch {
	case renewed > 0:
		return nil
	case len(args) > 0:
		return fmt.Errorf("there is no CA called %s: `ghapp-proxy ca --path` shows what there is", args[0])
	}
	return errors.New("every CA is usable: to replace one all the same, name it (--renew github.com)")
}
