package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"ghapp-proxy/config"
)

// watchedEach is how many times within its time limit the watchdog is answered, if
// all is well: one check that comes too late does no harm.
const watchedEach = 4

// answerWatchdog tells the manager that all is well, as long as the proxy answers
// at an address, until ctx ends.
func (m *manager) answerWatchdog(ctx context.Context, addr net.Addr, form config.Form, log *slog.Logger) {
	if m == nil || m.conn == nil || m.watchdog <= 0 {
		return
	}
	each := m.watchdog / watchedEach
	tick := time.NewTicker(each)
	defer tick.Stop()
	client := selfClient(addr, each)
	for {
		if err := checkSelf(ctx, client, form); err == nil {
			m.alive()
		} else if ctx.Err() == nil {
			log.Error("the proxy does not answer itself: the watchdog is not told that all is well", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// selfClient speaks to the proxy as its clients do, with a connection of its own
// each time.
func selfClient(addr net.Addr, patience time.Duration) *http.Client {
	network, address := addr.Network(), addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		// The system takes an unspecified address for that of this machine, but not
		// where IPv6 is turned off.
		address = fmt.Sprintf("127.0.0.1:%d", tcp.Port)
		if tcp.IP.To4() == nil {
			address = fmt.Sprintf("localhost:%d", tcp.Port)
		}
	}
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // nothing is told, and what is asked for says nothing else
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
}

// checkSelf asks for what everybody may have: an answer has come through the
// listener and the server.
func checkSelf(ctx context.Context, client *http.Client, form config.Form) error {
	scheme := "http"
	if form == config.FormTLS {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://ghapp-proxy/ca.pem", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}
