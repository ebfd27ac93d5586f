package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"ghapp-proxy/config"
	"ghapp-proxy/proxy"
	"ghapp-proxy/transparent"
)

// led is where clients come in that do not know of a proxy, and where they resolve names. A nil *led is nowhere.
type led struct {
	*proxy.Listener
	udp      net.PacketConn // of the resolver, nil for none
	tcp      net.Listener
	resolver *transparent.Resolver // nil before resolve
}

// listenLed opens what the [transparent] table names; nil if it names nothing.
func listenLed(ctx context.Context, cfg *config.Config, open *sockets) (_ *led, err error) {
	t := cfg.Transparent
	if t.Listen == "" {
		return nil, nil
	}
	ln := open.take(ledSocket, t.Listen)
	if ln == nil {
		ln, err = listen(ctx, "tcp", t.Listen)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: choose another address for transparent.listen", err)
	}
	l := &led{Listener: &proxy.Listener{Listener: ln, Client: t.Client, Admission: proxy.Admission{SameUser: true}, Names: transparent.NewNames(t.Ranges)}}
	if t.DNSListen == "" {
		return l, nil
	}
	if l.tcp, err = listen(ctx, "tcp", t.DNSListen); err == nil {
		l.udp, err = net.ListenPacket("udp", l.tcp.Addr().String()) // the same port, where that is for the system to choose
	}
	if err != nil {
		ln.Close()
		l.close()
		return nil, fmt.Errorf("%w: choose another address for transparent.dns_listen", err)
	}
	return l, nil
}

// checkLed is checkExposure for the transparent listener at an address, "" for none.
func checkLed(cfg *config.Config, address string) error {
	return checkExposure(cfg, "transparent.listen", address, address == "" || config.IsLoopback(address))
}

// resolve answers questions from now on.
func (l *led) resolve(leads func(name string) bool, log *slog.Logger) {
	if l == nil || l.udp == nil {
		return
	}
	l.resolver = &transparent.Resolver{Names: l.Names, Leads: leads, Log: log}
	log.Info("resolving", "address", l.udp.LocalAddr().String(), "ranges", l.Names.Ranges().String())
	go l.resolver.Serve(l.udp, l.tcp) // it ends by close only
}

// close closes the resolver. Whoever serves closes the listener.
func (l *led) close() {
	if l == nil {
		return
	}
	if l.resolver != nil {
		l.resolver.Close()
	}
	if l.udp != nil {
		l.udp.Close()
	}
	if l.tcp != nil {
		l.tcp.Close()
	}
}
