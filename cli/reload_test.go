package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
)

// What serve would not start with, it does not reload: the last client gone,
// everybody in the network would be served.
func TestReloadDoesNotOpenUp(t *testing.T) {
	var log bytes.Buffer
	cfg := &config.Config{Fixed: config.Fixed{Listen: "0.0.0.0:8080"}, Live: config.Live{
		Apps: []*auth.App{{Name: "bot", Instance: "github.com"}}, CA: config.CA{NameConstraints: true},
	}}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	cas, err := openAuthorities(cfg, inMemory(cfg))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := newServer(cfg, cas, serverOptions{log: slog.New(slog.DiscardHandler)}) // it logs from goroutines of its own
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop(t.Context(), 0, func() {})
	l := &reloader{
		load:    func(context.Context) (*config.Config, error) { return cfg, nil },
		reading: new(config.Reading), start: cfg, server: srv, audit: new(auditLog), control: new(control),
		addr: &net.TCPAddr{IP: net.IPv4zero, Port: 8080},
		log:  logger,
	}
	if err := l.reload(t.Context()); err == nil || !strings.Contains(err.Error(), "is not a loopback address") {
		t.Errorf("the reload comes to %v", err)
	}
	if !strings.Contains(log.String(), "is not a loopback address") {
		t.Errorf("the log is %s", &log)
	}
	l.state.succeeded(nil)
	if now := l.state.get(); now.Generation != 1 || now.Failures != 1 || now.Err != nil {
		t.Errorf("the state is %+v, want one failure before the first success", now)
	}
}
