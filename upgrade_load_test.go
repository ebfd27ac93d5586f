//go:build unix

package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestUpgradeUnderLoad: a proxy takes the place of another at a socket that outlives
// them. Nobody is refused, and no request is lost.
func TestUpgradeUnderLoad(t *testing.T) {
	l := newLoad(t)
	config := filepath.Join(l.dir, "serve.toml")
	if err := os.WriteFile(config, l.config(t, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := ln.(*net.TCPListener).File()
	ln.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	p := l.start(t, config, socket)
	if l.proxy != ln.Addr().String() {
		t.Fatalf("it listens on %s, want the socket's %s", l.proxy, ln.Addr())
	}
	l.trust(t)
	l.run(200)
	for range 2 {
		l.waitForArrivals(t, l.arrived.Load()+200)
		p.stop(t)
		time.Sleep(100 * time.Millisecond) // whoever comes now waits
		p = l.start(t, config, socket)
	}
	l.waitForArrivals(t, l.arrived.Load()+200)
	l.check(t)
	p.stop(t)
}
