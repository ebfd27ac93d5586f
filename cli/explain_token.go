package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/event"
	"ghapp-proxy/files"
	"ghapp-proxy/oidc"

	"github.com/spf13/cobra"
)

// explainToken says what a token of an issuer is and allows. Nobody's configuration is
// needed.
func (a *asker) explainToken(cmd *cobra.Command, s *settings, w io.Writer) error {
	text, err := a.token(cmd.InOrStdin())
	if err != nil {
		return err
	}
	claims, err := oidc.Decode(text)
	if err != nil {
		return &statusError{exitConfig, fmt.Errorf("--oidc-file: %w", err)}
	}
	line := func(label, value string) { fmt.Fprintf(w, "%-13s %s\n", label, value) }
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		var value bytes.Buffer
		fmt.Fprintf(&value, "%q ", name)
		if err := json.Compact(&value, claims[name]); err != nil {
			return err
		}
		line("claim", string(event.PlainJSON(value.Bytes())))
	}
	cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
	if err != nil {
		line("not verified", "there is no configuration that can be read: `ghapp-proxy check --offline` says why")
		return nil
	}
	held, err := a.verifyToken(cmd.Context(), cfg, text)
	if err != nil {
		line("not verified", err.Error())
		return nil
	}
	line("issuer", held.Issuer)
	line("client", held.Client.Name)
	line("ends", held.Expires.UTC().Format(time.RFC3339))
	line("allows", held.Client.Summary())
	line("exchanged", fmt.Sprintf("for a grant of %v", held.Lifetime))
	return nil
}

// token reads the token.
func (a *asker) token(stdin io.Reader) (string, error) {
	var text []byte
	var err error
	if a.tokenFile == "-" {
		text, err = io.ReadAll(io.LimitReader(stdin, 2*oidc.MaxText))
	} else {
		text, _, err = files.Read(a.tokenFile, 2*oidc.MaxText)
	}
	if err != nil {
		return "", &statusError{exitConfig, fmt.Errorf("--oidc-file %s: %w: name the file that has the token, or - for standard input", a.tokenFile, err)}
	}
	return string(bytes.TrimSpace(text)), nil
}

// verifyToken verifies a token as the proxy would that has the configuration. That it was
// used is known to nobody afterwards.
func (a *asker) verifyToken(ctx context.Context, cfg *config.Config, text string) (*oidc.Held, error) {
	upstream, _, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	defer upstream.Close()
	issuers, err := issuersOf(nil, cfg, upstream)
	if err != nil {
		return nil, err
	}
	held, err := oidc.NewHolders(&oidc.Source{Issuers: issuers, Clients: cfg.Tokens}, cfg.Clients).Use(ctx, oidc.Sent{Client: a.client, Text: text}, time.Now())
	if why, ok := errors.AsType[*oidc.Error](err); ok && why.Inside != "" {
		return nil, errors.New(why.Inside)
	}
	return held, err
}

// tokenExplainer explains what requests with a token would get.
func (a *asker) tokenExplainer(cmd *cobra.Command, s *settings) (*explainer, error) {
	text, err := a.token(cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
	if err != nil {
		return nil, err
	}
	held, err := a.verifyToken(cmd.Context(), cfg, text)
	if err != nil {
		return nil, &statusError{exitConfig, fmt.Errorf("--oidc-file: %w", err)}
	}
	return explainerFor(cfg, held.Client)
}
