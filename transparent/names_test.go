package transparent

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// addrOfHost fails the test if a name gets no address. Each is asked for by another asker.
func addrOfHost(t *testing.T, n *Names, name string) netip.Addr {
	t.Helper()
	v4, _, err := n.Assign(name, netip.AddrFrom4([4]byte{10, 1, 0, name[0]}))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v4
}

// An address stays a name's; only when there is no other, and its time is over, another gets it.
func TestNamesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNames(DefaultRanges, 3)
		first, second := addrOfHost(t, n, "a.test"), addrOfHost(t, n, "b.test")
		addrOfHost(t, n, "c.test")
		if _, _, err := n.Assign("d.test", asker); err != errFull {
			t.Errorf("a fourth name: %v, want %v", err, errFull)
		}
		time.Sleep(hold - time.Second)
		if name, ok := n.Of(first); name != "a.test" || !ok { // used: it stays
			t.Errorf("%v is %q", first, name)
		}
		time.Sleep(2 * time.Second)
		if got := addrOfHost(t, n, "d.test"); got != second {
			t.Errorf("the fourth name got %v, want that of the one used least, %v", got, second)
		}
		if name, _ := n.Of(second); name != "d.test" {
			t.Errorf("%v is %q, want d.test", second, name)
		}
		if got := addrOfHost(t, n, "a.test"); got != first {
			t.Errorf("a.test has %v, before %v", got, first)
		}
		if len(n.byIndex) != 3 || n.byName.Len() != 3 {
			t.Errorf("%d and %d names are kept", len(n.byIndex), n.byName.Len())
		}
	})
}

// Who asks for name after name does not take the addresses of others.
func TestAskersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNames(DefaultRanges)
		greedy := netip.MustParseAddr("2001:db8::1")
		for i := range askerBurst {
			if _, _, err := n.Assign(fmt.Sprint(i), greedy); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := n.Assign("more", netip.MustParseAddr("2001:db8::2")); err != errAsker {
			t.Errorf("another name for the network: %v, want %v", err, errAsker)
		}
		if _, _, err := n.Assign("1", greedy); err != nil {
			t.Errorf("a name that has an address: %v", err)
		}
		if _, _, err := n.Assign("more", asker); err != nil {
			t.Errorf("for another: %v", err)
		}
		time.Sleep(time.Minute)
		if _, _, err := n.Assign("again", greedy); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

// Nor does it where there are few: also in the time that an address is held, one takes no more than about half.
func TestAskersOfFewAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNames(Ranges{IPv4: netip.MustParsePrefix("10.9.0.0/24")})
		got := 0
		for i := range 4 * hold / time.Second {
			if _, _, err := n.Assign(fmt.Sprint(i), netip.AddrFrom4([4]byte{127, 0, byte(i >> 8), byte(i)})); err == nil {
				got++
			}
			if i%4 == 0 {
				time.Sleep(time.Second)
			}
			if i == 200 && got > int(n.size)/3 {
				t.Errorf("one asker got %d of %d addresses at once", got, n.size)
			}
		}
		if got < int(n.size)/2 || got > int(n.size)*3/5 {
			t.Errorf("one asker got %d of %d addresses", got, n.size)
		}
		addrOfHost(t, n, "x.test")
	})
}

func TestOf(t *testing.T) {
	n := NewNames(DefaultRanges)
	v4, v6, err := n.Assign("host.example.com", asker)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[netip.Addr]string{
		v4: "host.example.com", v6: "host.example.com", netip.AddrFrom16(v4.As16()): "host.example.com",
		v4.Next(): "", v4.Prev(): "", v6.Next(): "", v6.Prev().Prev().Prev(): "",
		netip.MustParseAddr("192.0.2.2"): "", netip.MustParseAddr("fd67:6861:7070:0:1::2"): "", {}: "",
	} {
		if got, ok := n.Of(addr); got != want || ok != (want != "") {
			t.Errorf("Of(%v) = %q, %v; want %q", addr, got, ok, want)
		}
	}
	small := NewNames(Ranges{IPv4: netip.MustParsePrefix("10.9.0.0/30")}) // a net, the machine, one name, a broadcast
	if v4, v6, err := small.Assign("a", asker); v4.String() != "10.9.0.2" || v6.IsValid() || err != nil {
		t.Errorf("%v, %v, %v", v4, v6, err)
	}
	if _, _, err := small.Assign("b", asker); err != errFull {
		t.Errorf("a second name: %v, want %v", err, errFull)
	}
	if _, _, err := NewNames(Ranges{}).Assign("a", asker); err != errFull {
		t.Errorf("without ranges: %v, want %v", err, errFull)
	}
}

// ledTo is a connection that was led here from another address.
type ledTo struct {
	net.Conn
	addr net.Addr
}

func (c ledTo) LocalAddr() net.Addr { return c.addr }

func TestTarget(t *testing.T) {
	n := NewNames(DefaultRanges)
	addrOfHost(t, n, "host.example.com")
	for addr, want := range map[string]string{
		"198.18.0.2:443": "host.example.com", "[::ffff:198.18.0.2]:443": "host.example.com", "[fd67:6861:7070::2]:22": "host.example.com",
		"192.0.2.1:443": "192.0.2.1", "198.18.0.3:443": "error", "198.18.0.1:443": "error", "[fd67:6861:7070::]:443": "error",
	} {
		at := netip.MustParseAddrPort(addr)
		to, err := n.Target(ledTo{addr: net.TCPAddrFromAddrPort(at)})
		got := to.String()
		if err != nil {
			got = "error"
		}
		if got != want || to.Addr.Port() != at.Port() {
			t.Errorf("Target(%s) = %s %v, want %s", addr, got, to.Addr, want)
		}
	}
	if _, err := n.Target(ledTo{addr: &net.UnixAddr{}}); err == nil {
		t.Error("a Unix socket leads somewhere")
	}
}

func TestMeans(t *testing.T) {
	for _, tt := range []struct {
		target, name string
		want         bool
	}{
		{"host.example.com", "host.example.com", true},
		{"host.example.com", "HOST.example.com", true},
		{"host.example.com", "example.com", false},
		{"host.example.com", "other.example.com", false},
		{"host.example.com", "", false},
		{"host.example.com.corp.example", "host.example.com", true}, // a search domain
		{"host.example.community", "host.example.com", false},
		{"", "host.example.com", true},
		{"", "", false},
	} {
		if got := (Target{Name: tt.target}).Means(tt.name); got != tt.want {
			t.Errorf("%q.Means(%q) = %v, want %v", tt.target, tt.name, got, tt.want)
		}
	}
}
