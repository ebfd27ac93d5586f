package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

func TestSecrets(t *testing.T) {
	secret := policy.NewSecret()
	if len(secret) < 26 || strings.Trim(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || secret == policy.NewSecret() {
		t.Errorf("NewSecret() = %q", secret)
	}
	hash := policy.HashSecret(secret)
	if parsed, err := policy.ParseSecretHash(hash.String()); err != nil || parsed != hash {
		t.Errorf("ParseSecretHash(%q) = %v, %v", hash, parsed, err)
	}
	for _, s := range []string{"", secret, "sha256:", hash.String() + "0", hash.String()[:70], strings.TrimPrefix(hash.String(), "sha256:"), "sha256:" + strings.Repeat("0", 64), "sha256:" + strings.Repeat("g", 64), "sha512:" + strings.Repeat("1", 64)} {
		if h, err := policy.ParseSecretHash(s); err == nil || len(s) > 10 && strings.Contains(err.Error(), s) {
			t.Errorf("ParseSecretHash(%q) = %v, %v, want an error that does not quote it", s, h, err)
		}
	}
	set, faults := policy.NewSet([]*policy.Client{{Name: "agent", Secret: hash}, {Name: "net"}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, test := range []struct {
		user, password string
		want           bool
	}{
		{"agent", secret, true}, {"agent", secret + "x", false}, {"agent", "", false}, {"net", secret, false}, {"net", "", false},
		{"Agent", secret, false}, {"", "", false}, {"nobody", secret, false}, {"agent", hash.String(), false},
	} {
		c, ok := set.ByPassword(test.user, test.password)
		if ok != test.want || ok != (c != nil) || ok && c.Name != test.user {
			t.Errorf("ByPassword(%q, …) = %v, %v, want %v", test.user, c, ok, test.want)
		}
	}
}

func prefixes(list ...string) (parsed []netip.Prefix) {
	for _, s := range list {
		parsed = append(parsed, netip.MustParsePrefix(s))
	}
	return parsed
}

func TestByAddress(t *testing.T) {
	set, faults := policy.NewSet([]*policy.Client{
		{Name: "all", Networks: prefixes("0.0.0.0/0")},
		{Name: "ten", Networks: prefixes("10.0.0.0/8", "fe80::/10")},
		{Name: "one", Networks: prefixes("10.1.2.3/32")},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for addr, want := range map[string]string{
		"10.1.2.3": "one", "::ffff:10.1.2.3": "one", "10.1.2.4": "ten", "192.0.2.1": "all", "fe80::1%eth0": "ten", "2001:db8::1": "", "::": "",
	} {
		c, ok := set.ByAddress(netip.MustParseAddr(addr))
		if ok != (want != "") || ok && c.Name != want {
			t.Errorf("ByAddress(%q) = %v, %v, want %q", addr, c, ok, want)
		}
	}
	if c, ok := set.ByAddress(netip.Addr{}); ok {
		t.Errorf("ByAddress of no address = %v", c)
	}
	var none *policy.Set
	if _, ok := none.ByAddress(netip.MustParseAddr("10.0.0.1")); ok || none.All() != nil {
		t.Error("a nil Set has clients")
	}
	if _, ok := none.ByPassword("a", "b"); ok {
		t.Error("a nil Set has passwords")
	}
}

func TestSetFaults(t *testing.T) {
	_, faults := policy.NewSet([]*policy.Client{
		{Name: "a", Listen: "127.0.0.1:8081", Networks: prefixes("10.0.0.0/8", "10.0.0.0/8")},
		{Name: "b", Listen: "0.0.0.0:8081", Networks: prefixes("10.0.0.0/8")},
		{Name: "c", Listen: "unix:/run/c.sock"},
		{Name: "d", Listen: "unix:/run/c.sock"},
		{Name: "e", Listen: "127.0.0.1:0"},
		{Name: "f", Listen: "127.0.0.1:0"},
	})
	var got []string
	for _, f := range faults {
		got = append(got, f.Client+"."+f.Key+": "+f.Problem)
	}
	want := "a.networks: 10.0.0.0/8 is there twice\nb.listen: [client.a] listens there\nb.networks: [client.a] has 10.0.0.0/8 as well\nd.listen: [client.c] listens there"
	if strings.Join(got, "\n") != want {
		t.Errorf("NewSet reports\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestSameListener(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true}, {"127.0.0.1:80", "127.0.0.1:080", true}, {"127.0.0.1:80", "127.0.0.1:81", false}, {"127.0.0.1:80", "127.0.0.2:80", false},
		{"localhost:80", "127.0.0.1:80", true}, {"localhost:80", "[::1]:80", true}, {"[::1]:80", "127.0.0.1:80", false}, {"[::]:80", "127.0.0.1:80", true},
		{"127.0.0.1:0", "127.0.0.1:0", false}, {"unix:/a", "unix:/a", true}, {"unix:/a", "unix:/b", false}, {"unix:/a", "127.0.0.1:80", false},
		{"localhost:80", "LOCALHOST:80", true}, {"localhost:80", "10.0.0.1:80", false}, {"::ffff:127.0.0.1", "x", false},
	} {
		if got := policy.SameListener(test.a, test.b); got != test.want {
			t.Errorf("SameListener(%q, %q) = %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

func TestScope(t *testing.T) {
	owners := (&policy.Client{Owners: []rules.Glob{"acme", "enterprises/mega"}, Apps: []string{"ci-bot"}}).Scope()
	if !owners.Account("ACME", false) || owners.Account("acme", true) || !owners.Account("mega", true) || owners.Account("evil", false) ||
		owners.Repository != nil || owners.Permissions != nil || owners.ReadOnly || !owners.App("ci-bot") || owners.App("other") {
		t.Errorf("the scope of owners is %+v", owners)
	}
	repos := (&policy.Client{Repositories: []rules.Glob{"acme/wid*"}, ReadOnly: true}).Scope()
	if !repos.Repository("Acme", "widgets") || repos.Repository("acme", "docs") || !repos.Account("acme", false) || repos.Account("evil", false) || !repos.ReadOnly {
		t.Errorf("the scope of repositories is %+v", repos)
	}
	given := map[string]string{"members": "read"}
	if p := (&policy.Client{Repositories: []rules.Glob{"acme/*"}, Permissions: given}).Scope().Permissions; p["members"] != "read" || len(p) != 1 {
		t.Errorf("Permissions = %v, want those given", p)
	}
	if s := (&policy.Client{Deny: []policy.Operation{{}}}).Scope(); s != nil {
		t.Errorf("Scope() of deny = %+v, want nil", s)
	}
}

func TestScopeKeys(t *testing.T) {
	key := func(c policy.Client) string { return c.Scope().Key }
	if a, b := key(policy.Client{Name: "a", Repositories: []rules.Glob{"acme/b", "Acme/a", "acme/a"}}), key(policy.Client{Name: "b", Repositories: []rules.Glob{"acme/a", "acme/B"}}); a != b {
		t.Errorf("Key = %s and %s, want the same", a, b)
	}
	seen := map[string]int{}
	for i, c := range []policy.Client{
		{Owners: []rules.Glob{"acme"}}, {Repositories: []rules.Glob{"acme/a"}}, {Repositories: []rules.Glob{"acme/a", "acme/b"}}, {Repositories: []rules.Glob{"acme/a"}, ReadOnly: true}, {ReadOnly: true},
		{Permissions: map[string]string{"contents": "read"}}, {Permissions: map[string]string{"contents": "write"}}, {Apps: []string{"contents"}},
	} {
		if j, ok := seen[key(c)]; ok {
			t.Errorf("clients %d and %d have the key %s", i, j, key(c))
		}
		seen[key(c)] = i
	}
}

func TestLimitDefaults(t *testing.T) {
	got := policy.Limits{MaxRequests: 3}.WithDefaults()
	want := policy.Limits{MaxConnections: 256, MaxRequests: 3, LookupsPerMinute: 60}
	if got != want {
		t.Errorf("WithDefaults = %+v, want %+v", got, want)
	}
}

// TestByAddressAgrees has many networks, of which the smallest that contains an address
// is to be found.
func TestByAddressAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr {
		b := [16]byte{0: 0x20, 1: 0x01, 10: byte(random.IntN(2)), 15: byte(random.IntN(4))}
		if random.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(random.IntN(2)), byte(random.IntN(4)), byte(random.IntN(256))})
		}
		return netip.AddrFrom16(b)
	}
	var clients []*policy.Client
	for i := range 300 {
		a := address()
		clients = append(clients, &policy.Client{Name: fmt.Sprint(i), Networks: []netip.Prefix{netip.PrefixFrom(a, random.IntN(a.BitLen()+1))}})
	}
	set, _ := policy.NewSet(clients)
	for range 3000 {
		a := address()
		var want *policy.Client
		for _, c := range clients { // of two with the same network the first counts
			if n := c.Networks[0]; n.Contains(a) && (want == nil || n.Bits() > want.Networks[0].Bits()) {
				want = c
			}
		}
		if got, ok := set.ByAddress(a); got != want || ok != (want != nil) {
			t.Fatalf("ByAddress(%v) = %v, want %v", a, got, want)
		}
	}
}
