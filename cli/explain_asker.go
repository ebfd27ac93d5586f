package cli

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"
)

// asker says who makes the requests that are explained: nobody, unless it has something.
type asker struct {
	client    string // its name
	grant     string // as readGrant takes it
	tokenFile string // a token of an issuer, - for standard input
}

func (a *asker) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&a.client, "client", "", "the `name` of the client that makes the request; with --oidc-file, that the token is where it fits several")
	flags.StringVar(&a.grant, "grant", "", "the `grant`, or proxy URL with one, or - for standard input, with which the request is made; alone, say what it allows")
	flags.StringVar(&a.tokenFile, "oidc-file", "", "the `file`, or - for standard input, of the token of an issuer with which the request is made; alone, say what it allows")
}

// check reports what does not go together.
func (a *asker) check(args []string) error {
	switch {
	case a.grant != "" && a.client != "":
		return errors.New("a grant is of a client: give --grant or --client")
	case a.grant != "" && a.tokenFile != "":
		return errors.New("give --grant or --oidc-file")
	case slices.Contains(args, "-") && (a.grant == "-" || a.tokenFile == "-"):
		return errors.New("standard input can have the requests or who makes them, not both")
	}
	return nil
}

// shows reports whether there is something to be described without any request.
func (a *asker) shows() bool { return a.grant != "" || a.tokenFile != "" }

// describe says what the grant or the token is, and allows.
func (a *asker) describe(cmd *cobra.Command, s *settings, w io.Writer) error {
	if a.grant != "" {
		return explainGrant(cmd, s, a.grant, w)
	}
	return a.explainToken(cmd, s, w)
}

// explainer explains what requests would get.
func (a *asker) explainer(cmd *cobra.Command, s *settings) (*explainer, error) {
	switch {
	case a.grant != "":
		return grantExplainer(cmd, s, a.grant)
	case a.tokenFile != "":
		return a.tokenExplainer(cmd, s)
	}
	return newExplainer(cmd, s, a.client)
}
