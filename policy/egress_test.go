package policy_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"ghapp-proxy/policy"
)

func patterns(t testing.TB, texts ...string) []policy.HostPattern {
	t.Helper()
	var list []policy.HostPattern
	for _, text := range texts {
		p, err := policy.ParseHostPattern(text)
		if err != nil {
			t.Fatalf("ParseHostPattern(%q): %v", text, err)
		}
		list = append(list, p)
	}
	return list
}

func destination(t testing.TB, hostport string) policy.Destination {
	t.Helper()
	d, err := policy.ParseDestination(hostport, 0)
	if err != nil {
		t.Fatalf("ParseDestination(%q): %v", hostport, err)
	}
	return d
}

func TestParseDestination(t *testing.T) {
	tests := []struct{ in, want, err string }{
		{"Example.COM.:443", "example.com:443", ""},
		{"my_bucket.s3.example.com:0443", "my_bucket.s3.example.com:443", ""},
		{"xn--bcher-kva.example:443", "xn--bcher-kva.example:443", ""},
		{"localhost:8080", "localhost:8080", ""},
		{"0b2:443", "0b2:443", ""},
		{"127.0.0.1.:443", "127.0.0.1:443", ""},
		{"[::1]:443", "[::1]:443", ""},
		{"[2606:4700:0:0::1111]:443", "[2606:4700::1111]:443", ""},
		{"[::FFFF:10.0.0.1]:443", "10.0.0.1:443", ""},
		{"[64:ff9b::10.0.0.1]:443", "[64:ff9b::a00:1]:443", ""},

		{"0177.0.0.1:443", "", "is not an address in the form"},
		{"127.0.0.01:443", "", "is not an address in the form"},
		{"0x7f.0.0.1:443", "", "is not an address in the form"},
		{"127.0.0.0x1:443", "", "is not an address in the form"},
		{"0x7f000001:443", "", "is not an address in the form"},
		{"0X7F000001:443", "", "is not an address in the form"},
		{"0x:443", "", "is not an address in the form"},
		{"0b1111111000000000000000000000001:443", "", "is not an address in the form"},
		{"127.0.0.0B1:443", "", "is not an address in the form"},
		{"2130706433:443", "", "is not an address in the form"},
		{"127.1:443", "", "is not an address in the form"},
		{"256.0.0.1:443", "", "is not an address in the form"},
		{"1.2.3.4.5:443", "", "is not an address in the form"},
		{"[fe80::1%eth0]:443", "", "has a zone"},
		{"[fe80::1%25eth0]:443", "", "has a zone"},
		{"[127.0.0.1]:443", "", "not an IPv6 address in brackets"},
		{"[example.com]:443", "", "not an IPv6 address in brackets"},
		{"[::1:443", "", "not an IPv6 address in brackets"},
		{"[::g]:443", "", "is not an address"},
		{"::1:443", "", "the port"},
		{"example.com:https", "", "the port"},
		{"example.com:+443", "", "the port"},
		{"example.com:65979", "", "the port"},
		{"example.com:0", "", "the port"},
		{"example.com:", "", "the port"},
		{"example.com", "", "the port"},
		{"example.com..:443", "", "is not a host name"},
		{".example.com:443", "", "is not a host name"},
		{"*.example.com:443", "", "is not a host name"},
		{"user@example.com:443", "", "is not a host name"},
		{"example.com\x00.evil:443", "", "is not a host name"},
		{"exa mple.com:443", "", "is not a host name"},
		{"b\u00fccher.example:443", "", "is not ASCII"},
		{"\u212aernel.example:443", "", "is not ASCII"}, // the Kelvin sign: its lower case is k
		{"\xff.example:443", "", "is not ASCII"},
		{strings.Repeat("a", 64) + ".com:443", "", "is not a host name"},
		{strings.Repeat("a.", 127) + "com:443", "", "is not a host name"},
		{":443", "", "is not a host name"},
		{"", "", "the port"},
	}
	for _, test := range tests {
		d, err := policy.ParseDestination(test.in, 0)
		switch {
		case err != nil && (test.err == "" || !strings.Contains(err.Error(), test.err)):
			t.Errorf("ParseDestination(%q): %v, want %q", test.in, err, test.err)
		case err == nil && (test.err != "" || d.String() != test.want):
			t.Errorf("ParseDestination(%q) = %q, want %q, %q", test.in, d, test.want, test.err)
		}
	}
	if d, err := policy.ParseDestination("example.com", 80); err != nil || d.String() != "example.com:80" {
		t.Errorf("ParseDestination without a port = %v, %v, want example.com:80", d, err)
	}
}

func TestParseHostPattern(t *testing.T) {
	for _, text := range []string{
		"example.com", "Example.com.", "*.example.com", "*.com:8443", "*", "*:8443", "host:22", "10.0.0.1", "10.0.0.1:8443",
		"10.0.0.0/8", "10.0.0.0/8:8443", "::1", "[::1]", "[::1]:8443", "fd00::/8", "fd00::/8:8443", "::", "0.0.0.0/0",
	} {
		if p, err := policy.ParseHostPattern(text); err != nil || p.String() != text {
			t.Errorf("ParseHostPattern(%q) = %q, %v", text, p, err)
		}
	}
	for text, want := range map[string]string{
		"":                     "is not a host name",
		"https://example.com":  "no scheme",
		"example.com/path":     "no path",
		"exa*mple.com":         "is not a host name",
		"*example.com":         "is not a host name",
		"**.example.com":       "is not a host name",
		"*.*.com":              "is not a host name",
		"*.10.0.0.1":           "* stands for names",
		"*.3.4":                "is not an address in the form",
		"10.1.2.3/8":           "the range is 10.0.0.0/8",
		"::ffff:10.0.0.0/104":  "nor a range",
		"10.0.0.0/33":          "nor a range",
		"10.0.0.0/8:":          "the port",
		"example.com:":         "the port",
		"[::1]:":               "the port",
		"example.com:http":     "the port",
		"example.com:0":        "the port",
		"b\u00fccher.example":  "xn-- form",
		"fe80::1%eth0":         "has a zone",
		"127.1":                "is not an address in the form",
		"a:b:c":                "is not an address",
		"example.com,evil.com": "is not a host name",
	} {
		if p, err := policy.ParseHostPattern(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseHostPattern(%q) = %+v, %v, want %q", text, p, err, want)
		}
	}
}

func TestDecide(t *testing.T) {
	closed := &policy.Egress{
		DenyUnlisted: true,
		Allow:        patterns(t, "packages.example.org", "*.example.com", "git.example.net:8443", "*:9418", "[2606:4700::1111]", "198.51.100.0/24", "ws.example.net:80"),
		AllowPrivate: patterns(t, "wiki.corp.example.net:8443"),
		Deny:         patterns(t, "secret.example.com", "*.bad.example.com:443", "198.51.100.7"),
	}
	open := &policy.Egress{Deny: patterns(t, "*.bad.example.com", "8.8.8.0/24")}
	private := &policy.Egress{AllowPrivate: patterns(t, "localhost", "host.docker.internal")}
	tests := []struct {
		name   string
		egress *policy.Egress
		to     string
		key    string // of the denial, "" if it passes
	}{
		{"closed", closed, "packages.example.org:443", ""},
		{"closed", closed, "Packages.Example.org.:80", ""},
		{"closed", closed, "packages.example.org:22", "egress.default"},
		{"closed", closed, "www.packages.example.org:443", "egress.default"},
		{"closed", closed, "packages.example.org.evil.com:443", "egress.default"},
		{"closed", closed, "a.b.example.com:443", ""},
		{"closed", closed, "example.com:443", "egress.default"},
		{"closed", closed, "evilexample.com:443", "egress.default"},
		{"closed", closed, "git.example.net:8443", ""},
		{"closed", closed, "git.example.net:443", "egress.default"},
		{"closed", closed, "anything.example.org:9418", ""},
		{"closed", closed, "10.0.0.1:9418", "egress.allow"},
		{"closed", closed, "[2606:4700:0::1111]:443", ""},
		{"closed", closed, "[2606:4700::1112]:443", "egress.default"},
		{"closed", closed, "198.51.100.1:443", ""},
		{"closed", closed, "198.51.100.7:443", "egress.deny[3]"},
		{"closed", closed, "[::ffff:198.51.100.7]:443", "egress.deny[3]"},
		{"closed", closed, "[64:ff9b::198.51.100.7]:443", "egress.deny[3]"},
		{"closed", closed, "secret.example.com:443", "egress.deny[1]"},
		{"closed", closed, "secret.example.com:9418", "egress.deny[1]"},
		{"closed", closed, "x.bad.example.com:443", "egress.deny[2]"},
		{"closed", closed, "x.bad.example.com:80", ""},
		{"closed", closed, "localhost:9418", "egress.allow"},
		{"open", open, "anything.example.org:443", ""},
		{"open", open, "anything.example.org:80", ""},
		{"open", open, "anything.example.org:25", "egress.allow"},
		{"open", open, "x.bad.example.com:443", "egress.deny[1]"},
		{"open", open, "x.bad.example.com:25", "egress.deny[1]"},
		{"open", open, "8.8.8.8:443", "egress.deny[2]"},
		{"open", open, "127.0.0.1:443", "egress.allow"},
		{"open", open, "localhost:443", "egress.allow"},
		{"open", open, "x.LocalHost.:443", "egress.allow"},
		{"open", open, "localhost.localdomain:443", "egress.allow"},
		{"open", open, "localhost6.localdomain6:80", "egress.allow"},
		{"open", open, "IP6-localhost:443", "egress.allow"},
		{"open", open, "ip6-loopback:443", "egress.allow"},
		{"open", open, "host.docker.internal:443", "egress.allow"},
		{"closed", closed, "ip6-localhost:9418", "egress.allow"},
		{"private", private, "localhost:443", "egress.allow"},
		{"private", private, "host.docker.internal:443", ""},
		{"closed", closed, "wiki.corp.example.net:8443", ""},
		{"closed", closed, "wiki.corp.example.net:443", "egress.default"},
		{"closed", closed, "x.wiki.corp.example.net:8443", "egress.default"},
		{"open", open, "metadata.google.internal:80", "egress.allow"},
		{"zero", &policy.Egress{}, "8.8.8.8:443", ""},
		{"zero", &policy.Egress{}, "8.8.8.8:22", "egress.allow"},
		{"zero", &policy.Egress{}, "10.0.0.1:443", "egress.allow"},
		{"nil", nil, "10.0.0.1:22", ""},
	}
	for _, test := range tests {
		key := ""
		if denial := test.egress.Decide(destination(t, test.to)); denial != nil {
			key = denial.Key
		}
		if key != test.key {
			t.Errorf("%s: Decide(%q) = %q, want %q", test.name, test.to, key, test.key)
		}
	}
	for to, want := range map[string]bool{"packages.example.org:443": true, "packages.example.org:80": false, "ws.example.net:80": true, "other.example:80": false} {
		if denial := closed.DecideTunnel(destination(t, to)); (denial == nil) != want {
			t.Errorf("DecideTunnel(%q) = %v, want allowed %v", to, denial, want)
		}
	}
	if denial := (&policy.Egress{}).DecideTunnel(destination(t, "example.com:80")); denial != nil {
		t.Errorf("DecideTunnel to port 80 without limits = %v, want nil", denial)
	}
}

func TestDenialsSayHowToMendThem(t *testing.T) {
	open, closed := &policy.Egress{}, &policy.Egress{DenyUnlisted: true, Deny: patterns(t, "x.example.com")}
	for _, test := range []struct {
		denial         *policy.EgressDenial
		reason, remedy string
	}{
		{closed.Decide(destination(t, "internal.example.com:443")), "egress to internal.example.com:443 is not allowed", "add it to egress.allow"},
		{closed.Decide(destination(t, "x.example.com:443")), "egress to x.example.com:443 is not allowed: egress.deny[1] forbids it", ""},
		{open.Decide(destination(t, "x.example.com:22")), "egress to x.example.com:22 is not allowed: ports other than 443 and 80 must be listed", `add "x.example.com:22" to egress.allow`},
		{open.Decide(destination(t, "[::1]:443")), "egress to [::1]:443 is not allowed: it is a loopback address", `add "::1" to egress.allow`},
		{open.DecideAddr(destination(t, "x.example.com:443"), netip.MustParseAddr("10.0.0.1")), "egress to x.example.com:443 is not allowed: it leads to a private address", `if that is meant, add "x.example.com" to egress.allow_private`},
		{open.DecideAddr(destination(t, "x.example.com:443"), netip.MustParseAddr("127.0.0.1")), "egress to x.example.com:443 is not allowed: it leads to a loopback address", "if that is meant, add the address to egress.allow"},
		{open.Decide(destination(t, "localhost:443")), "egress to localhost:443 is not allowed: it is this machine", `add "localhost" to egress.allow, and its address`},
		{open.DecideOwnAddr(destination(t, "x.example.com:443"), netip.MustParseAddr("8.8.8.8")), "egress to x.example.com:443 is not allowed: it leads to an address of the proxy's own machine", "if that is meant, add the address to egress.allow"},
		{open.DecideOwnAddr(destination(t, "8.8.8.8:443"), netip.MustParseAddr("8.8.8.8")), "egress to 8.8.8.8:443 is not allowed: it is an address of the proxy's own machine", "if that is meant, add the address to egress.allow"},
		{open.DecideAddr(destination(t, "x.example.com:443"), netip.MustParseAddr("169.254.169.254")), "egress to x.example.com:443 is not allowed: it leads to a link-local address", "if that is meant, add the address to egress.allow"},
	} {
		if test.denial == nil || test.denial.Reason != test.reason || test.denial.Remedy != test.remedy {
			t.Errorf("denied with %+v, want %q; %q", test.denial, test.reason, test.remedy)
		}
	}
}

// addresses are one or two of each kind: whether they pass where nothing is
// listed, and whether they do where their host's name may lead to private ones.
var addresses = []struct {
	addr          string
	open, private bool
}{
	{"8.8.8.8", true, true},
	{"140.82.112.3", true, true},
	{"192.31.196.1", true, true}, // AS112, globally reachable
	{"2606:4700::1111", true, true},
	{"2a00:1450::1", true, true},
	{"64:ff9b::8.8.8.8", true, true},
	{"::ffff:8.8.8.8", true, true},

	{"127.0.0.1", false, false},
	{"127.255.255.255", false, false},
	{"::1", false, false},
	{"::ffff:127.0.0.1", false, false},
	{"64:ff9b::127.0.0.1", false, false},
	{"10.0.0.0", false, true},
	{"10.255.255.255", false, true},
	{"172.16.0.1", false, true},
	{"172.31.255.255", false, true},
	{"192.168.0.1", false, true},
	{"100.64.0.1", false, true},
	{"100.127.255.255", false, true},
	{"fc00::1", false, true},
	{"fd12:3456::1", false, true},
	{"::ffff:192.168.1.1", false, true},
	{"64:ff9b::192.168.1.1", false, true},

	{"169.254.169.254", false, false},
	{"::ffff:169.254.169.254", false, false},
	{"64:ff9b::169.254.169.254", false, false},
	{"169.254.170.2", false, false},
	{"fe80::1", false, false},
	{"fe80::1%lo", false, false},
	{"febf::a9fe:a9fe", false, false},
	{"fd00:ec2::254", false, false},
	{"fd20:ce::254", false, false},
	{"100.100.100.200", false, false},
	{"168.63.129.16", false, false},
	{"0.0.0.0", false, false},
	{"0.1.2.3", false, false},
	{"::", false, false},
	{"::ffff:0.0.0.0", false, false},
	{"192.0.0.8", false, false},
	{"192.0.2.1", false, false},
	{"198.51.100.1", false, false},
	{"203.0.113.1", false, false},
	{"192.88.99.1", false, false},
	{"198.18.0.1", false, false},
	{"198.19.255.255", false, false},
	{"224.0.0.1", false, false},
	{"239.255.255.250", false, false},
	{"240.0.0.1", false, false},
	{"255.255.255.255", false, false},
	{"ff02::1", false, false},
	{"ff0e::1", false, false},
	{"::10.0.0.1", false, false}, // IPv4-compatible
	{"::8.8.8.8", false, false},
	{"64:ff9b:1::8.8.8.8", false, false},
	{"64:ff9b::1:8.8.8.8", false, false},
	{"100::1", false, false}, // discard-only
	{"2001::1", false, false},
	{"2001:0:4136:e378:8000:63bf:3fff:fdd2", false, false},
	{"2001:2::1", false, false},
	{"2001:20::1", false, false},
	{"2001:db8::1", false, false},
	{"2002:a00:1::1", false, false},
	{"2002:808:808::1", false, false},
	{"3fff::1", false, false},
	{"4000::1", false, false},
	{"5f00::1", false, false},
	{"fec0::1", false, false},
}

func TestDecideAddr(t *testing.T) {
	open := &policy.Egress{}
	named := &policy.Egress{Allow: patterns(t, "host.example.com")}
	private := &policy.Egress{AllowPrivate: patterns(t, "host.example.com")}
	wild := &policy.Egress{Allow: patterns(t, "*.example.com", "*"), AllowPrivate: patterns(t, "host.example.com:8443", "other.example.com")}
	everything := &policy.Egress{Allow: patterns(t, "0.0.0.0/0", "::/0")}
	d := destination(t, "host.example.com:443")
	for _, test := range addresses {
		addr := netip.MustParseAddr(test.addr)
		if denial := open.DecideAddr(d, addr); (denial == nil) != test.open {
			t.Errorf("DecideAddr(%s) = %v, want allowed %v", addr, denial, test.open)
		}
		if denial := named.DecideAddr(d, addr); (denial == nil) != test.open {
			t.Errorf("DecideAddr(%s) with its name allowed = %v, want allowed %v", addr, denial, test.open)
		}
		if denial := private.DecideAddr(d, addr); (denial == nil) != test.private {
			t.Errorf("DecideAddr(%s) with its name allowed to be private = %v, want allowed %v", addr, denial, test.private)
		}
		for name, e := range map[string]*policy.Egress{"open": open, "private": private, "wild": wild} {
			if denial := e.DecideOwnAddr(d, addr); denial == nil {
				t.Errorf("%s.DecideOwnAddr(%s) = nil, want a denial", name, addr)
			}
		}
		if denial := wild.DecideAddr(d, addr); (denial == nil) != test.open {
			t.Errorf("DecideAddr(%s) with a wildcard allowed = %v, want allowed %v", addr, denial, test.open)
		}
		if denial := everything.DecideAddr(d, addr); denial != nil {
			t.Errorf("DecideAddr(%s) with all addresses allowed = %v, want nil", addr, denial)
		}
		if denial := (*policy.Egress)(nil).DecideAddr(d, addr); denial != nil {
			t.Errorf("nil.DecideAddr(%s) = %v, want nil", addr, denial)
		}
	}
}

// What the proxy's own machine has at its other ports is reached by its very
// address alone.
func TestDecideOwnAddr(t *testing.T) {
	e := &policy.Egress{
		Allow: patterns(t, "10.0.0.0/8", "10.1.0.5", "10.1.0.6:8443", "127.0.0.0/8", "*", "0.0.0.0/0:9418", "10.1.0.7/32"), AllowPrivate: patterns(t, "wiki.example.com"),
		Deny: patterns(t, "127.0.0.9"),
	}
	for to, addrs := range map[string]map[string]bool{
		"wiki.example.com:443":   {"10.1.0.4": false, "10.1.0.5": true, "10.1.0.6": false, "10.1.0.7": true, "127.0.0.1": true, "127.0.0.9": false, "8.8.8.8": false},
		"wiki.example.com:8443":  {"10.1.0.6": true, "10.1.0.5": false},
		"other.example.com:9418": {"10.1.0.5": false, "8.8.8.8": false, "127.0.0.1": true},
	} {
		for addr, want := range addrs {
			if denial := e.DecideOwnAddr(destination(t, to), netip.MustParseAddr(addr)); (denial == nil) != want {
				t.Errorf("DecideOwnAddr(%s, %s) = %v, want allowed %v", to, addr, denial, want)
			}
		}
	}
	if denial := (*policy.Egress)(nil).DecideOwnAddr(destination(t, "x.example.com:443"), netip.MustParseAddr("127.0.0.1")); denial != nil {
		t.Errorf("nil.DecideOwnAddr = %v, want nil", denial)
	}
}

// Addresses in deny are found behind names, and win over names in allow.
func TestDeniedAddressBehindName(t *testing.T) {
	e := &policy.Egress{Allow: patterns(t, "host.example.com", "10.0.0.0/8"), Deny: patterns(t, "10.1.0.0/16", "8.8.8.8", "10.2.0.1:80")}
	d := destination(t, "host.example.com:443")
	for addr, want := range map[string]string{
		"10.0.0.1": "", "10.1.0.1": "egress.deny[1]", "::ffff:10.1.0.1": "egress.deny[1]", "64:ff9b::10.1.0.1": "egress.deny[1]",
		"8.8.8.8": "egress.deny[2]", "8.8.4.4": "", "10.2.0.1": "",
	} {
		key := ""
		if denial := e.DecideAddr(d, netip.MustParseAddr(addr)); denial != nil {
			key = denial.Key
			if denial.Addr != netip.MustParseAddr(addr) {
				t.Errorf("DecideAddr(%s) is about %s", addr, denial.Addr)
			}
		}
		if key != want {
			t.Errorf("DecideAddr(%s) = %q, want %q", addr, key, want)
		}
	}
}

func TestLimited(t *testing.T) {
	for _, test := range []struct {
		egress *policy.Egress
		want   bool
	}{
		{nil, false}, {&policy.Egress{}, false}, {&policy.Egress{DenyUnlisted: true}, true},
		{&policy.Egress{Allow: patterns(t, "*")}, true}, {&policy.Egress{AllowPrivate: patterns(t, "x")}, true}, {&policy.Egress{Deny: patterns(t, "x")}, true},
	} {
		if got := test.egress.Limited(); got != test.want {
			t.Errorf("%+v.Limited() = %v, want %v", test.egress, got, test.want)
		}
	}
}

// What is decided about is what is connected to: the one spelling of a
// destination stands for itself, and never for an address in disguise.
func FuzzParseDestination(f *testing.F) {
	for _, seed := range []string{"example.com:443", "[::ffff:7f00:1]:443", "0x7f.1:80", "0b1:80", "0o1:80", "127.0.0.1.:443", "[fe80::1%25lo]:1", "a..b:443"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := policy.ParseDestination(s, 0)
		if err != nil {
			return
		}
		again, err := policy.ParseDestination(d.String(), 0)
		if err != nil || again != d {
			t.Errorf("ParseDestination(%q) = %+v, %v, but of %q it was %+v", d, again, err, s, d)
		}
		addr, err := netip.ParseAddr(d.Host)
		if (err == nil) != d.Addr.IsValid() || addr != d.Addr || addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("ParseDestination(%q) = %+v, whose host is the address %v", s, d, addr)
		}
		if !d.Addr.IsValid() && isNumeric(d.Host) {
			t.Errorf("ParseDestination(%q) = %+v, which inet_aton could read", s, d)
		}
		if denial := (&policy.Egress{DenyUnlisted: true}).Decide(d); denial == nil {
			t.Errorf("Decide(%q) = nil where nothing is listed", d)
		}
	})
}

// isNumeric reports whether every part of a name is a number as C writes them,
// which Go also writes as 0o17 and 1_000.
func isNumeric(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if _, err := strconv.ParseUint(part, 0, 64); err != nil || strings.ContainsAny(part, "_o") {
			return false
		}
	}
	return true
}

// A pattern is about what it says: where it is denied nothing that it matches
// passes, and where it alone is allowed nothing else does.
func FuzzParseHostPattern(f *testing.F) {
	for _, seed := range []string{"*.example.com:8443", "10.0.0.0/8", "[::1]:80", "*", "fd00::/8:1", "example.com"} {
		f.Add(seed, "host.example.com:443")
		f.Add(seed, "10.0.0.1:443")
	}
	f.Fuzz(func(t *testing.T, text, target string) {
		p, err := policy.ParseHostPattern(text)
		if err != nil {
			return
		}
		d, err := policy.ParseDestination(target, 0)
		if err != nil {
			return
		}
		allowed := (&policy.Egress{DenyUnlisted: true, Allow: []policy.HostPattern{p}}).Decide(d)
		if allowed == nil && !p.MatchHost(d) {
			t.Errorf("%q lets %q pass, which it does not match", text, d)
		}
		denied := (&policy.Egress{Allow: []policy.HostPattern{p}, Deny: []policy.HostPattern{p}}).Decide(d)
		if allowed == nil && denied == nil {
			t.Errorf("%q lets %q pass both when allowed and when denied", text, d)
		}
	})
}

func TestLeadsTo(t *testing.T) {
	limited := &policy.Egress{DenyUnlisted: true, Allow: patterns(t, "host.example.com", "*.ports.example.com:8443", "10.0.0.0/8"), AllowPrivate: patterns(t, "wiki.example.com:22"), Deny: patterns(t, "bad.ports.example.com", "half.example.com:443")}
	open := &policy.Egress{Deny: patterns(t, "bad.example.com", "half.example.com:443")}
	for _, tt := range []struct {
		egress *policy.Egress
		name   string
		want   bool
	}{
		{limited, "host.example.com", true},
		{limited, "a.ports.example.com", true},
		{limited, "bad.ports.example.com", false},
		{limited, "wiki.example.com", true},
		{limited, "other.example.com", false},
		{limited, "host.example.com.corp.example", false},
		{open, "other.example.com", true},
		{open, "bad.example.com", false},
		{open, "half.example.com", true}, // port 80
		{open, "localhost", false},
		{open, "metadata.google.internal", false},
		{nil, "other.example.com", true},
		{nil, "", false},
		{nil, "10.0.0.1", false},
		{nil, "[::1]", false},
		{nil, "127.1", false},
		{nil, "a b.example.com", false},
		{nil, strings.Repeat("a", 64) + ".example.com", false},
	} {
		if got := tt.egress.LeadsTo(tt.name); got != tt.want {
			t.Errorf("LeadsTo(%q) = %v, want %v", tt.name, got, tt.want)
		}
	}
	for want, e := range map[string]*policy.Egress{"[443 80]": nil, "[443 80 8443 22]": limited} {
		if got := fmt.Sprint(e.Ports()); got != want {
			t.Errorf("Ports() = %s, want %s", got, want)
		}
	}
}
