package cli

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"ghapp-proxy/config"
	"ghapp-proxy/proxy"
)

// runLimits is how a command is admitted that is a client, or holds a grant; without either it has no limits.
func runLimits(cfg *config.Config, client, grantText string, stdin io.Reader) (proxy.Admission, error) {
	if client != "" && grantText != "" {
		return proxy.Admission{}, errors.New("--client and --grant exclude each other: a grant is of a client")
	}
	as, err := clientNamed(cfg, client)
	if err != nil || grantText == "" {
		return proxy.Admission{Private: true, As: as}, err
	}
	g, _, err := readGrant(grantText, stdin)
	if err != nil {
		return proxy.Admission{}, fmt.Errorf("--grant: %w", err)
	}
	held, err := verifyWith(cfg, g)
	if err == nil {
		err = held.FromPlace(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	if err != nil {
		return proxy.Admission{}, fmt.Errorf("--grant: %w", err)
	}
	return proxy.Admission{Private: true, As: held.Client, Grant: g.Text()}, nil
}
