package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"ghapp-proxy/config"
)

// What serve would not start with, it does not reload: the last client gone,
// everybody in the network would be served.
func TestReloadDoesNotOpenUp(t *testing.T) {
	var log bytes.Buffer
	l := &reloader{
		load: func(context.Context) (*config.Config, error) {
			return &config.Config{Fixed: config.Fixed{Listen: "0.0.0.0:8080"}}, nil
		},
		cfg:  &config.Config{Fixed: config.Fixed{Listen: "0.0.0.0:8080"}},
		addr: &net.TCPAddr{IP: net.IPv4zero, Port: 8080},
		log:  slog.New(slog.NewTextHandler(&log, nil)),
	}
	l.reload(context.Background()) // there is no proxy whose policy could be replaced
	if !strings.Contains(log.String(), "is not a loopback address") {
		t.Errorf("the log is %s", &log)
	}
	l.state.succeeded(nil)
	if now := l.state.get(); now.Generation != 1 || now.Failures != 1 || now.Err != nil {
		t.Errorf("the state is %+v, want one failure before the first success", now)
	}
}
