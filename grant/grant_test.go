package grant

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/policy"
)

// TestVectors: the chain is that of libmacaroons, whose README has these.
func TestVectors(t *testing.T) {
	root := deriveRoot([]byte("this is our super secret key; only we should know it"))
	sig := sign(root, []byte("we used our secret key"))
	for _, step := range []struct{ caveat, want string }{
		{"", "e3d9e02908526c4c0039ae15114115d97fdd68bf2ba379b342aaf0f617d0552f"},
		{"test = caveat", "197bac7a044af33332865b9266e26d493bdd668a660e44d88ce1a998c23dbd67"},
	} {
		if step.caveat != "" {
			sig = sign(sig[:], []byte(step.caveat))
		}
		if got := hex.EncodeToString(sig[:]); got != step.want {
			t.Errorf("after %q: %s, want %s", step.caveat, got, step.want)
		}
	}
}

// ring is a Keyring and Revocations.
type ring struct {
	keys    Keys
	revoked map[ID]bool
	err     error
}

func (r *ring) Keys() (Keys, error) { return r.keys, r.err }

func (r *ring) Revoked(ids []ID) (ID, bool, error) {
	for _, id := range ids {
		if r.revoked[id] {
			return id, true, nil
		}
	}
	return ID{}, false, nil
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func in(d time.Duration) int64 { return start.Add(d).Unix() }

// harness has clients agent and other.
func harness(t testing.TB) (*ring, *Holders) {
	t.Helper()
	set, faults := policy.NewSet([]*policy.Client{{Name: "agent"}, {Name: "other"}, {Name: "none", NoGrants: true}})
	if faults != nil {
		t.Fatal(faults)
	}
	r := &ring{keys: Keys{NewKey()}, revoked: map[ID]bool{}}
	return r, NewHolders(Source{r, r}, set)
}

func make1(t testing.TB, r *ring, client string, chain ...Caveats) *Grant {
	t.Helper()
	g, err := New(r.keys, client, chain[0])
	for _, c := range chain[1:] {
		if err == nil {
			g, err = g.Narrow(c)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func kindOf(err error) string {
	fault, ok := err.(*Error)
	if !ok {
		return "good"
	}
	return [...]string{"forged", "ended", "early", "long", "revoked", "place", "unusable"}[fault.Kind]
}

// reseal gives a changed body the checksum that it needs.
func reseal(b []byte) string {
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(append([]byte(Prefix), b...)))
	return Prefix + base64.RawURLEncoding.EncodeToString(b)
}

func bodyOf(t testing.TB, text string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, Prefix))
	if err != nil {
		t.Fatal(err)
	}
	return b[:len(b)-4]
}

func TestAttacks(t *testing.T) {
	r, holders := harness(t)
	g := make1(t, r, "agent", Caveats{Expires: in(time.Hour)}, Caveats{ReadOnly: true}, Caveats{Repositories: []string{"acme/widgets"}})
	text := g.Text()
	check := func(name, text, want string) {
		t.Helper()
		if _, err := holders.Hold(text, start); kindOf(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	check("as it is", text, "good")
	for i := range text {
		if changed := text[:i] + string(text[i]^1) + text[i+1:]; changed != text {
			check("a bit flipped at "+string(rune('0'+i%10)), changed, "forged")
		}
		check("truncated", text[:i], "forged")
	}
	body := bodyOf(t, text)
	for i := range body {
		for bit := range 8 {
			changed := append([]byte(nil), body...)
			changed[i] ^= 1 << bit
			check("a bit flipped, with a checksum", reseal(changed), "forged")
		}
	}
	// A link cut off, in both ways; links in another order; one more without the key.
	cut := *g
	cut.Links, cut.texts = g.Links[:2], g.texts[:2]
	check("a cut chain", cut.Text(), "forged")
	cut.texts = [][]byte{g.texts[0], g.texts[2], g.texts[1]}
	check("another order", cut.Text(), "forged")
	cut.texts = append(cut.texts[:0:0], g.texts[1:]...)
	check("without the root's link", cut.Text(), "forged")
	// Another client's name in it, another key, no key.
	cut = *g
	cut.Client = "other"
	check("another client", cut.Text(), "forged")
	foreign := &ring{keys: Keys{NewKey()}}
	other := make1(t, foreign, "agent", Caveats{Expires: in(time.Hour)})
	check("another proxy's key", other.Text(), "forged")
	other.key = r.keys[0].ID()
	check("another proxy's key under ours", other.Text(), "forged")
	check("a client that is not configured", make1(t, r, "gone", Caveats{Expires: in(time.Hour)}).Text(), "forged")
	check("a client that takes none", make1(t, r, "none", Caveats{Expires: in(time.Hour)}).Text(), "forged")
	// Times.
	check("without an end", make1(t, r, "agent", Caveats{ReadOnly: true}).Text(), "forged")
	check("ended", make1(t, r, "agent", Caveats{Expires: in(0)}).Text(), "ended")
	check("ended by a later link", make1(t, r, "agent", Caveats{Expires: in(time.Hour)}, Caveats{Expires: in(-time.Hour)}).Text(), "ended")
	check("a later link ends later", make1(t, r, "agent", Caveats{Expires: in(-time.Second)}, Caveats{Expires: in(time.Hour)}).Text(), "ended")
	check("early", make1(t, r, "agent", Caveats{Expires: in(time.Hour)}, Caveats{NotBefore: in(time.Minute)}, Caveats{NotBefore: in(-time.Minute)}).Text(), "early")
	check("long", make1(t, r, "agent", Caveats{Expires: in(MaxLifetime + time.Second)}).Text(), "long")
	check("huge", Prefix+strings.Repeat("A", 1<<20), "forged")
	// What a link may not say.
	for _, link := range []string{
		`{"expires":1,"more":true}`, `{"Expires":1}`, `{ "expires":1}`, `{"expires":1,"expires":1}`, `{"expires":1}{}`, `null`, `{"push":null}`,
		`{"read_only":false}`, `{"expires":-1}`, `{"requests_per_minute":-1}`, `{"actor":"a\nb"}`, `{"actor":"a\u202eb"}`, `{"purpose":" a"}`,
		`{"actor":"` + strings.Repeat("a", MaxActor+1) + `"}`, `{"repositories":["acme"]}`, `{"push":["main"]}`, `{"operations":["no/such"]}`,
		`{"networks":["10.0.0.1/8"]}`, `{"permissions":{"contents":"all"}}`, ``,
	} {
		bad := *g
		bad.texts = append(append([][]byte(nil), g.texts...), []byte(link))
		bad.sig = sign(g.sig[:], []byte(link)) // well signed
		check(link, bad.Text(), "forged")
	}
}

func TestRevoked(t *testing.T) {
	r, holders := harness(t)
	root := make1(t, r, "agent", Caveats{Expires: in(time.Hour)})
	one, _ := root.Narrow(Caveats{ReadOnly: true})
	two, _ := one.Narrow(Caveats{Purpose: "x"})
	sister, _ := root.Narrow(Caveats{Actor: "y"})
	all := map[string]*Grant{"root": root, "one": one, "two": two, "sister": sister}
	for _, test := range []struct{ revoke, dead string }{{"two", "two"}, {"one", "one two"}, {"root", "root one two sister"}} {
		r.revoked = map[ID]bool{all[test.revoke].ID(): true}
		for name, g := range all {
			_, err := holders.Hold(g.Text(), start)
			if dead := kindOf(err) == "revoked"; dead != strings.Contains(" "+test.dead+" ", " "+name+" ") {
				t.Errorf("%s revoked: %s: %v", test.revoke, name, err)
			}
		}
	}
	r.revoked = nil
	held, err := holders.Hold(two.Text(), start)
	if err != nil {
		t.Fatal(err)
	}
	r.keys = Keys{NewKey()}
	if err := holders.Good(held, start); kindOf(err) != "revoked" {
		t.Errorf("without its key: %v", err)
	}
	r.err = ErrNoKey
	if err := holders.Good(held, start); kindOf(err) != "unusable" {
		t.Errorf("without keys: %v", err)
	}
}

func TestPlace(t *testing.T) {
	r, holders := harness(t)
	held, err := holders.Hold(make1(t, r, "agent", Caveats{Expires: in(time.Hour), Networks: []string{"10.0.0.0/8", "::1"}}, Caveats{Networks: []string{"10.1.0.0/16"}}).Text(), start)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{"10.1.2.3": "good", "::ffff:10.1.2.3": "good", "10.2.2.3": "place", "::1": "place", "": "place"} {
		var at netip.Addr
		if addr != "" {
			at = netip.MustParseAddr(addr)
		}
		if err := held.FromPlace(at); kindOf(err) != want {
			t.Errorf("from %q: %v, want %s", addr, err, want)
		}
	}
}

// TestWords: what is said of who asks steers no terminal, and no reader.
func TestWords(t *testing.T) {
	r, _ := harness(t)
	for _, bad := range []string{"a\nb", "a\x1b[2Jb", "a\u202eb", "a\u200bb", "\xff", " a", "a ", strings.Repeat("a", MaxActor+1)} {
		if _, err := New(r.keys, "agent", Caveats{Actor: bad}); err == nil {
			t.Errorf("the actor %q is taken", bad)
		}
	}
	if _, err := New(r.keys, "agent", Caveats{Actor: "Œdipe, 42 (x)"}); err != nil {
		t.Error(err)
	}
}

// TestFirstSays: nobody who was given a grant changes who asked.
func TestFirstSays(t *testing.T) {
	r, holders := harness(t)
	held, err := holders.Hold(make1(t, r, "agent", Caveats{Expires: in(time.Hour), Actor: "octocat"}, Caveats{Actor: "mallory", Purpose: "p"}).Text(), start)
	if err != nil {
		t.Fatal(err)
	}
	if held.Actor() != "octocat" || held.Purpose() != "p" || held.Links[1].Actor != "mallory" {
		t.Errorf("%v", held)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	f, other := Open(dir, ""), Open(dir, "")
	if err := f.MakeKey(); err != nil {
		t.Fatal(err)
	}
	if !other.Refresh() || other.Refresh() {
		t.Error("a change is to be noticed once")
	}
	g, err := New(f.now.Load().keys, "agent", Caveats{Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Rotate(); err != nil {
		t.Fatal(err)
	}
	keys, _ := f.Keys()
	if len(keys) != 2 || keys[0].ID() == g.key || keys[1].ID() != g.key {
		t.Error("the newest is to sign, all are to verify")
	}
	if err := f.Revoke(Revocation{g.ID(), time.Now().Add(time.Hour)}, Revocation{ID{1}, time.Now().Add(-time.Second)}); err != nil {
		t.Fatal(err)
	}
	other.Refresh()
	if id, is, err := other.Revoked([]ID{{9}, g.ID()}); !is || id != g.ID() || err != nil {
		t.Error(id, is, err)
	}
	if list, _ := other.List(); len(list) != 1 {
		t.Errorf("%v, want what has not ended", list)
	}
	if err := os.Chmod(f.keyPath, 0o640); err != nil {
		t.Fatal(err)
	}
	if other.Refresh(); other.Err() == nil || !strings.Contains(other.Err().Error(), "other users may read it") {
		t.Errorf("a key that others may read: %v", other.Err())
	}
	if err := os.WriteFile(f.revokedPath(), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other.Refresh()
	if _, _, err := other.Revoked([]ID{{9}}); err == nil {
		t.Error("a list that cannot be read says that nothing is revoked")
	}
}
