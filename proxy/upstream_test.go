package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/policy"

	"golang.org/x/net/dns/dnsmessage"
)

// resolver answers every question for an IPv4 address with what answer says.
func resolver(t *testing.T, answer func() []string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe() // which is no PacketConn, so that DNS over TCP is spoken
		go func() {
			defer server.Close()
			if err := answerDNS(server, answer); err != nil {
				t.Error(err)
			}
		}()
		return client, nil
	}}
}

func answerDNS(conn net.Conn, answer func() []string) error {
	head := make([]byte, 2)
	if _, err := io.ReadFull(conn, head); err != nil {
		return err
	}
	question := make([]byte, binary.BigEndian.Uint16(head))
	if _, err := io.ReadFull(conn, question); err != nil {
		return err
	}
	var message dnsmessage.Message
	if err := message.Unpack(question); err != nil {
		return err
	}
	message.Response, message.Additionals = true, nil
	if q := message.Questions[0]; q.Type == dnsmessage.TypeA {
		for _, addr := range answer() {
			message.Answers = append(message.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()},
			})
		}
	}
	packed, err := message.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
	return err
}

// local starts a listener that closes what it accepts, and counts it.
func local(t *testing.T, addr string) (net.Listener, *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { ln.Close() })
	accepted := new(atomic.Int32)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			conn.Close()
		}
	}()
	return ln, accepted
}

func pattern(t *testing.T, texts ...string) (list []policy.HostPattern) {
	t.Helper()
	for _, text := range texts {
		p, err := policy.ParseHostPattern(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func parse(t *testing.T, hostport string) policy.Destination {
	t.Helper()
	d, err := policy.ParseDestination(hostport, 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A name that leads to a public address when somebody looks, and to a private
// one when it is connected to.
func TestRebinding(t *testing.T) {
	ln, accepted := local(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	u := NewUpstream(UpstreamOptions{Egress: &policy.Egress{Allow: pattern(t, "*:"+port)}})
	defer u.Close()
	var asked atomic.Int32
	u.dialer.Resolver = resolver(t, func() []string {
		if asked.Add(1) == 1 {
			return []string{"8.8.8.8"}
		}
		return []string{"127.0.0.1"}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	first, err := u.dialer.Resolver.LookupNetIP(ctx, "ip4", "rebind.example.com")
	if err != nil || len(first) != 1 || u.opts.Egress.DecideAddr(parse(t, "rebind.example.com:"+port), first[0]) != nil {
		t.Fatalf("the first look-up: %v, %v, want a public address", first, err)
	}
	for name, dial := range map[string]func() (net.Conn, error){
		"tunnel": func() (net.Conn, error) { return u.dialTunnel(ctx, parse(t, "rebind.example.com:"+port)) },
		"http":   func() (net.Conn, error) { return u.dialElsewhere(ctx, "tcp", "rebind.example.com:"+port) },
	} {
		_, err := dial()
		denial, ok := errors.AsType[*policy.EgressDenial](err)
		if !ok || denial.Addr != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%s: %v, want a denial of 127.0.0.1", name, err)
		}
	}
	if n := accepted.Load(); n != 0 {
		t.Errorf("%d connections arrived", n)
	}
}

// A name that may lead to private addresses leads neither to loopback nor to
// what the proxy's own machine has besides.
func TestPrivateNames(t *testing.T) {
	const name = "wiki.corp.example.com:"
	for _, addr := range append(ownAddresses(t), "127.0.0.1") {
		ln, _ := local(t, addr+":0")
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		network, err := netip.MustParseAddr(addr).Prefix(9) // no range of loopback addresses
		if err != nil {
			t.Fatal(err)
		}
		for what, test := range map[string]struct {
			egress policy.Egress
			ok     bool
		}{
			"by its name":                {policy.Egress{Allow: pattern(t, name+port)}, false},
			"by its name, being private": {policy.Egress{AllowPrivate: pattern(t, name+port)}, false},
			"in a network":               {policy.Egress{Allow: pattern(t, name+port, network.String()+":"+port)}, addr == "127.0.0.1"},
			"by its address":             {policy.Egress{Allow: pattern(t, name+port, addr+":"+port)}, true},
		} {
			test.egress.DenyUnlisted = true
			u := NewUpstream(UpstreamOptions{Egress: &test.egress})
			u.dialer.Resolver = resolver(t, func() []string { return []string{addr} })
			conn, err := u.dialTunnel(t.Context(), parse(t, name+port))
			if conn != nil {
				conn.Close()
			}
			if _, denied := errors.AsType[*policy.EgressDenial](err); denied == test.ok || (err == nil) != test.ok {
				t.Errorf("%s, listed %s: %v, want allowed %v", addr, what, err, test.ok)
			}
			u.Close()
		}
	}
}

// ownAddresses is one address of this machine that is no loopback one, if it has any.
func ownAddresses(t *testing.T) []string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ipnet, ok := addr.(*net.IPNet); ok && ipnet.IP.To4() != nil && !ipnet.IP.IsLoopback() {
			return []string{ipnet.IP.String()}
		}
	}
	return nil
}

// Of several addresses those are taken that may be.
func TestSomeAddressesDenied(t *testing.T) {
	ln, accepted := local(t, "127.0.0.2:0")
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	u := NewUpstream(UpstreamOptions{Egress: &policy.Egress{Allow: pattern(t, "*:"+port, "127.0.0.2:"+port)}})
	defer u.Close()
	u.dialer.Resolver = resolver(t, func() []string { return []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "127.0.0.2"} })
	conn, err := u.dialTunnel(t.Context(), parse(t, "several.example.com:"+port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != ln.Addr().String() {
		t.Errorf("connected to %s, want %s", got, ln.Addr())
	}
	io.Copy(io.Discard, conn) // until it is accepted and closed
	if n := accepted.Load(); n != 1 {
		t.Errorf("%d connections arrived, want 1", n)
	}
}

// Served hosts, what connect_to redirects and the upstream proxy may be private.
func TestEgressExempt(t *testing.T) {
	ln, _ := local(t, "127.0.0.1:0")
	addr := ln.Addr().String()
	u := NewUpstream(UpstreamOptions{Egress: &policy.Egress{}, ConnectTo: map[string]string{"host.example.com:443": addr}})
	defer u.Close()
	dial := func(what string, dial func() (net.Conn, error), want string) {
		t.Helper()
		conn, err := dial()
		if err == nil {
			conn.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	ctx := t.Context()
	dial("served", func() (net.Conn, error) { return u.dialServed(ctx, "tcp", addr) }, "")
	dial("redirected tunnel", func() (net.Conn, error) { return u.dialTunnel(ctx, parse(t, "host.example.com:443")) }, "")
	dial("redirected request", func() (net.Conn, error) { return u.dialElsewhere(ctx, "tcp", "host.example.com:443") }, "")
	dial("other tunnel", func() (net.Conn, error) { return u.dialTunnel(ctx, parse(t, addr)) }, "a loopback address")
	dial("other request", func() (net.Conn, error) { return u.dialElsewhere(ctx, "tcp", addr) }, "must be listed")
}

// However the address of a listener is spelled.
func TestIsOwn(t *testing.T) {
	var interfaces []string
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ipnet, ok := addr.(*net.IPNet); ok {
			interfaces = append(interfaces, net.JoinHostPort(ipnet.IP.String(), "8080"))
		}
	}
	tests := []struct {
		own        string
		yes, no    []string
		everywhere bool
	}{
		{"127.0.0.1:8080", []string{"127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", "0.0.0.0:8080", "[::]:8080"}, []string{"127.0.0.1:8081", "127.0.0.2:8080", "[::1]:8080"}, false},
		{"[::1]:8080", []string{"[::1]:8080", "[::]:8080"}, []string{"127.0.0.1:8080"}, false},
		{"0.0.0.0:8080", []string{"127.0.0.1:8080", "127.1.2.3:8080", "[::ffff:127.0.0.1]:8080", "0.0.0.0:8080"}, []string{"192.0.2.1:8080", "127.0.0.1:8081"}, true},
		{"[::]:8080", []string{"127.0.0.1:8080", "[::1]:8080", "[::ffff:127.9.9.9]:8080"}, []string{"[2001:db8::1]:8080"}, true},
		{"192.0.2.1:8080", []string{"192.0.2.1:8080", "[::ffff:192.0.2.1]:8080"}, []string{"127.0.0.1:8080", "0.0.0.0:8080"}, false},
	}
	for _, test := range tests {
		u := NewUpstream(UpstreamOptions{})
		u.Forbid(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.9:1"))) // another listener
		u.Forbid(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(test.own)))
		if test.everywhere {
			test.yes = append(test.yes, interfaces...)
		}
		for _, to := range test.yes {
			if err := u.mayConnect(nil, to); !errors.Is(err, errSelf) {
				t.Errorf("with a listener on %s: mayConnect(%s) = %v, want errSelf", test.own, to, err)
			}
		}
		for _, to := range test.no {
			if err := u.mayConnect(nil, to); err != nil {
				t.Errorf("with a listener on %s: mayConnect(%s) = %v, want nil", test.own, to, err)
			}
		}
	}
}
