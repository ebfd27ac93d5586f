package transparent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/internal/freeport"

	"golang.org/x/net/dns/dnsmessage"
)

// newResolver leads to api.github.com and names of example.com.
func newResolver() *Resolver {
	return &Resolver{
		Names: NewNames(DefaultRanges), Log: slog.New(slog.DiscardHandler),
		Leads: func(name string) bool { return name == "api.github.com" || within(name, "example.com") },
	}
}

// ask is a question on the wire.
func ask(t testing.TB, name string, kind dnsmessage.Type, class dnsmessage.Class, edns bool) []byte {
	t.Helper()
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: 7, RecursionDesired: true})
	b.StartQuestions()
	err := b.Question(dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: kind, Class: class})
	if edns {
		var h dnsmessage.ResourceHeader
		h.SetEDNS0(1232, 0, false)
		b.StartAdditionals()
		b.OPTResource(h, dnsmessage.OPTResource{})
	}
	text, finished := b.Finish()
	if err != nil || finished != nil {
		t.Fatal(err, finished)
	}
	return text
}

var asker = netip.MustParseAddr("10.0.0.1")

func TestAnswers(t *testing.T) {
	r := newResolver()
	const in = dnsmessage.ClassINET
	for _, tt := range []struct {
		name  string
		kind  dnsmessage.Type
		class dnsmessage.Class
		rcode dnsmessage.RCode
		want  string // the address
	}{
		{"api.github.com.", dnsmessage.TypeA, in, 0, "198.18.0.2"},
		{"API.GitHub.com.", dnsmessage.TypeAAAA, in, 0, "fd67:6861:7070::2"},
		{"api.github.com.", dnsmessage.TypeHTTPS, in, 0, ""},
		{"api.github.com.", dnsmessage.TypeSVCB, in, 0, ""},
		{"api.github.com.", dnsmessage.TypeTXT, in, 0, ""},
		{"api.github.com.", dnsmessage.TypeMX, in, 0, ""},
		{"api.github.com.", dnsmessage.TypeALL, in, 0, ""},
		{"a.example.com.", dnsmessage.TypeA, in, 0, "198.18.0.3"},
		{"api.github.com.", dnsmessage.TypeA, in, 0, "198.18.0.2"}, // as before
		{"localhost.", dnsmessage.TypeA, in, 0, "127.0.0.1"},
		{"a.localhost.", dnsmessage.TypeAAAA, in, 0, "::1"},
		{"localhost.", dnsmessage.TypeMX, in, 0, ""},
		{"api.github.com.corp.example.", dnsmessage.TypeA, in, dnsmessage.RCodeNameError, ""}, // a search domain
		{"secret.evil.test.", dnsmessage.TypeA, in, dnsmessage.RCodeNameError, ""},
		{"2.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, in, dnsmessage.RCodeNameError, ""},
		{".", dnsmessage.TypeNS, in, dnsmessage.RCodeNameError, ""},
		{"version.bind.", dnsmessage.TypeTXT, dnsmessage.ClassCHAOS, dnsmessage.RCodeRefused, ""},
		{"api.github.com.", dnsmessage.TypeA, dnsmessage.ClassANY, dnsmessage.RCodeRefused, ""},
	} {
		for _, edns := range []bool{false, true} {
			said := r.answer(ask(t, tt.name, tt.kind, tt.class, edns), asker)
			var m dnsmessage.Message
			if err := m.Unpack(said); err != nil {
				t.Fatalf("%s %v: %v", tt.name, tt.kind, err)
			}
			got := ""
			for _, a := range m.Answers {
				switch body := a.Body.(type) {
				case *dnsmessage.AResource:
					got += netip.AddrFrom4(body.A).String()
				case *dnsmessage.AAAAResource:
					got += netip.AddrFrom16(body.AAAA).String()
				}
				if a.Header.TTL == 0 || a.Header.TTL > 60 || a.Header.Name.String() != tt.name {
					t.Errorf("%s %v: the answer's head is %v", tt.name, tt.kind, a.Header)
				}
			}
			if m.RCode != tt.rcode || got != tt.want || m.ID != 7 || !m.Response || !m.RecursionAvailable || len(said) > 512 {
				t.Errorf("%s %v: %v with %q in %d bytes, want %v with %q", tt.name, tt.kind, m.RCode, got, len(said), tt.rcode, tt.want)
			}
			if len(m.Questions) != 1 || m.Questions[0].Name.String() != tt.name {
				t.Errorf("%s: the question is not repeated: %v", tt.name, m.Questions)
			}
			if edns != (len(m.Additionals) == 1) || len(m.Authorities) != 0 {
				t.Errorf("%s: %d further records, EDNS %v", tt.name, len(m.Additionals), edns)
			}
		}
	}
}

// Who asks with EDNS is told that a name is withheld.
func TestExtendedError(t *testing.T) {
	r := newResolver()
	var m dnsmessage.Message
	if err := m.Unpack(r.answer(ask(t, "other.test.", dnsmessage.TypeA, dnsmessage.ClassINET, true), asker)); err != nil {
		t.Fatal(err)
	}
	opt := m.Additionals[0].Body.(*dnsmessage.OPTResource)
	if len(opt.Options) != 1 || opt.Options[0].Code != 15 || !strings.HasPrefix(string(opt.Options[0].Data), "\x00\x0fthe proxy does not lead there") {
		t.Errorf("options %v", opt.Options)
	}
}

// Nothing that can be sent is answered by more than it is worth.
func TestHostileQuestions(t *testing.T) {
	r := newResolver()
	good := ask(t, "api.github.com.", dnsmessage.TypeA, dnsmessage.ClassINET, false)
	change := func(at int, bytes ...byte) []byte {
		text := append([]byte{}, good...)
		copy(text[at:], bytes)
		return text
	}
	many := append(change(5, 200), strings.Repeat(string(good[12:]), 199)...)
	for name, tt := range map[string]struct {
		query []byte
		rcode int // -1 for no answer
	}{
		"nothing":            {nil, -1},
		"half a head":        {good[:11], -1},
		"an answer":          {change(2, 0x81), -1},
		"too long":           {append(good, make([]byte, maxQuery)...), -1},
		"no question":        {change(5, 0)[:12], int(dnsmessage.RCodeFormatError)},
		"200 questions":      {many, int(dnsmessage.RCodeFormatError)},
		"question missing":   {good[:12], int(dnsmessage.RCodeFormatError)},
		"compression loop":   {append(change(12, 0xc0, 12)[:14], 0, 1, 0, 1), int(dnsmessage.RCodeFormatError)},
		"pointer forward":    {append(change(12, 0xc0, 40)[:14], 0, 1, 0, 1), int(dnsmessage.RCodeFormatError)},
		"label of 64":        {change(12, 64), int(dnsmessage.RCodeFormatError)},
		"dots in a label":    {change(13, 'a', '.', 'b'), int(dnsmessage.RCodeFormatError)},
		"update":             {change(2, 5<<3), int(dnsmessage.RCodeNotImplemented)},
		"65535 more records": {change(10, 0xff, 0xff), int(dnsmessage.RCodeFormatError)},
		"no letters":         {change(13, 0, 0xff, 1), int(dnsmessage.RCodeNameError)},
	} {
		said := r.answer(tt.query, asker)
		got := -1
		if said != nil {
			got = int(said[3] & 0xf)
		}
		if got != tt.rcode || len(said) > 512 {
			t.Errorf("%s: rcode %d in %d bytes, want %d", name, got, len(said), tt.rcode)
		}
	}
	if n := r.Names.byName.Len(); n != 0 {
		t.Errorf("%d names have got addresses", n)
	}
}

// listenResolver serves on loopback, and ends with the test, with nothing left over.
func listenResolver(t *testing.T, r *Resolver) string {
	t.Helper()
	before := runtime.NumGoroutine()
	address := freeport.Address(t)
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(udp, tcp) }()
	t.Cleanup(func() {
		r.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d goroutines, before %d", runtime.NumGoroutine(), before)
				break
			}
		}
	})
	return address
}

// Go's own client gets on with it, over UDP and TCP.
func TestResolverServes(t *testing.T) {
	addr := listenResolver(t, newResolver())
	for _, network := range []string{"udp", "tcp"} {
		client := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
		addrs, err := client.LookupHost(t.Context(), "api.github.com.")
		slices.Sort(addrs) // their order depends on the machine's routes
		if want := "[198.18.0.2 fd67:6861:7070::2]"; err != nil || fmt.Sprint(addrs) != want {
			t.Errorf("%s: %v, %v; want %s", network, addrs, err, want)
		}
		_, err = client.LookupHost(t.Context(), "other.test.")
		if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound {
			t.Errorf("%s: %v, want that there is no such host", network, err)
		}
	}
	conn, err := net.Dial("tcp", addr) // and asks nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) // after the resolver
	fmt.Fprint(conn, "\xff\xff")
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); err == nil || n != 0 {
		t.Errorf("a question of 65535 bytes: %d, %v", n, err)
	}
}

// Who holds connections open does not keep out who asks.
func TestIdleAskers(t *testing.T) {
	addr := listenResolver(t, newResolver())
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	query := ask(t, "api.github.com.", dnsmessage.TypeA, dnsmessage.ClassINET, false)
	asks := func(conn net.Conn) error {
		conn.SetDeadline(time.Now().Add(queryPatience / 2))
		conn.Write(append([]byte{0, byte(len(query))}, query...))
		_, err := io.ReadFull(conn, make([]byte, 2+len(query)))
		return err
	}
	var first net.Conn
	for range 2 * maxQueryConns {
		conn := dial()
		if first == nil {
			first = conn
		}
	}
	if err := asks(dial()); err != nil {
		t.Errorf("one more: %v", err)
	}
	if err := asks(first); err == nil {
		t.Error("the first is open still")
	}
}

// The connection that goes for another is of the network that has most.
func TestAskersOverTCP(t *testing.T) {
	a := asking{of: make(map[netip.Prefix][]net.Conn)}
	closed := make(map[string]int) // network → connections
	add := func(addr string) net.Conn {
		conn := &askingConn{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)), closed: closed}
		a.add(conn)
		return conn
	}
	own := add("192.0.2.1:1")
	for i := range 3 * maxQueryConns {
		add(fmt.Sprintf("[2001:db8::%x]:1", i))
	}
	if other := add("192.0.2.2:1"); closed["192.0.2.1/32"]+closed["192.0.2.2/32"] != 0 || closed["2001:db8::/64"] != 2*maxQueryConns+2 {
		t.Errorf("closed were %v", closed)
	} else {
		a.remove(other)
		a.remove(other)
	}
	a.remove(own)
	if len(a.of) != 1 || a.n != maxQueryConns-2 || len(a.of[netip.MustParsePrefix("2001:db8::/64")]) != a.n {
		t.Errorf("%d are left, of %d networks", a.n, len(a.of))
	}
}

// askingConn is a connection of somebody's who asks.
type askingConn struct {
	net.Conn
	addr   net.Addr
	closed map[string]int
}

func (c *askingConn) RemoteAddr() net.Addr { return c.addr }

func (c *askingConn) Close() error {
	c.closed[NetworkOf(addrOf(c.addr)).String()]++
	return nil
}

func FuzzResolver(f *testing.F) {
	r := newResolver()
	f.Add(ask(f, "api.github.com.", dnsmessage.TypeA, dnsmessage.ClassINET, true))
	f.Add(ask(f, "other.test.", dnsmessage.TypeHTTPS, dnsmessage.ClassCHAOS, false))
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, query []byte) {
		said := r.answer(query, asker)
		if said == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(said); err != nil || !m.Response || len(said) > 512 || len(m.Answers) > 1 {
			t.Errorf("%x is answered %x: %v", query, said, err)
		}
		for _, a := range m.Answers {
			host := strings.ToLower(strings.TrimSuffix(a.Header.Name.String(), "."))
			if !r.Leads(host) && !within(host, "localhost") {
				t.Errorf("%x: there is an address for %s", query, host)
			}
		}
	})
}
