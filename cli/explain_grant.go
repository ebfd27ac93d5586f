package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/grant"
	"ghapp-proxy/policy"

	"github.com/spf13/cobra"
)

// explainGrant says what a grant is and allows. Nobody's configuration is needed.
func explainGrant(cmd *cobra.Command, s *settings, text string, w io.Writer) error {
	g, _, err := readGrant(text, cmd.InOrStdin())
	if err != nil {
		return &statusError{exitConfig, fmt.Errorf("--grant: %w", err)}
	}
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-13s %s\n", label, value)
		}
	}
	line("grant", g.ID().String())
	line("client", g.Client)
	end := "never: no proxy takes it"
	if at := g.Expires(); !at.IsZero() {
		if end = at.UTC().Format(time.RFC3339); !time.Now().Before(at) {
			end += ", which has passed"
		}
	}
	line("ends", end)
	for i := range g.Links {
		words, err := json.Marshal(&g.Links[i])
		if err != nil {
			return err
		}
		line(fmt.Sprintf("link %d", i+1), string(words))
	}
	held, why := verifyGrant(cmd, s, g)
	if why != nil {
		line("not verified", why.Error())
		return nil
	}
	line("ids", held.Path())
	line("actor", held.Actor())
	line("purpose", held.Purpose())
	line("allows", held.Client.Summary())
	return nil
}

// verifyGrant verifies a grant as the proxy would that has the configuration.
func verifyGrant(cmd *cobra.Command, s *settings, g *grant.Grant) (*grant.Held, error) {
	cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
	if err != nil {
		return nil, errors.New("there is no configuration that can be read: `ghapp-proxy check --offline` says why")
	}
	return verifyWith(cfg, g)
}

func verifyWith(cfg *config.Config, g *grant.Grant) (*grant.Held, error) {
	files := openGrants(cfg)
	return grant.NewHolders(grant.Source{Keys: files, Revoked: files}, cfg.Clients).Hold(g.Text(), time.Now())
}

// grantExplainer explains what requests with a grant would get.
func grantExplainer(cmd *cobra.Command, s *settings, text string) (*explainer, error) {
	g, _, err := readGrant(text, cmd.InOrStdin())
	if err != nil {
		return nil, &statusError{exitConfig, fmt.Errorf("--grant: %w", err)}
	}
	cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
	if err != nil {
		return nil, err
	}
	held, err := verifyWith(cfg, g)
	if err != nil {
		return nil, &statusError{exitConfig, fmt.Errorf("--grant: %w", err)}
	}
	return explainerFor(cfg, held.Client)
}

// explainerFor explains what requests of a client would get that is narrower than the
// configuration has it.
func explainerFor(cfg *config.Config, client *policy.Client) (*explainer, error) {
	e, err := explainerOf(cfg, client.Name)
	if err != nil {
		return nil, err
	}
	e.snapshot.Client = client
	return e, nil
}
