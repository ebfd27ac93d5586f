package certs

import (
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefusesOtherNames(t *testing.T) {
	ca := newCA(t, github)
	for _, host := range []string{"", ".", "evil.example.com", "gist.github.com", "192.0.2.7", "github.com:443", "*.github.com"} {
		if c, err := ca.Certificate(host); err == nil || c != nil {
			t.Errorf("Certificate(%q) = %v, %v, want an error", host, c, err)
		}
	}
}

func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, github)
		first := leafFor(t, ca, "github.com")
		time.Sleep((LeafLifetime - Backdate) / 3 * 2)
		if leafFor(t, ca, "github.com") == first {
			t.Error("leaf is the same after two thirds of its life")
		}
		second := leafFor(t, ca, "github.com")
		time.Sleep((LeafLifetime-Backdate)/3*2 - time.Minute)
		if leafFor(t, ca, "github.com") != second {
			t.Error("leaf is another before two thirds of its life")
		}
	})
}

func TestLeavesAreValidWheneverHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t, github)
		for time.Until(ca.Expires()) > 0 {
			c := leafFor(t, ca, "github.com")
			if err := verify(ca.PEM(), c.Certificate, "github.com"); err != nil {
				t.Fatalf("%v before the end: %v", time.Until(ca.Expires()), err)
			}
			if c.Leaf.NotAfter.After(ca.Expires()) {
				t.Fatalf("leaf ends %v, after the CA", c.Leaf.NotAfter)
			}
			time.Sleep(min(7*time.Hour, max(time.Until(ca.Expires())/2, time.Second)))
		}
		_, err := ca.Certificate("github.com")
		if fault, ok := errors.AsType[*Error](err); !ok || !strings.Contains(fault.Error(), "the CA expired on 2004-12-") {
			t.Errorf("Certificate after the end of the CA: %v", err)
		}
	})
}

// TestClockSetBack covers a machine that started with a wrong clock.
func TestClockSetBack(t *testing.T) {
	m := &minted{begin: time.Unix(1000, 0), renew: time.Unix(2000, 0)}
	for second, want := range map[int64]bool{999: false, 1000: true, 1999: true, 2000: false} {
		if got := m.fresh(time.Unix(second, 0)); got != want {
			t.Errorf("fresh(%d) = %v, want %v", second, got, want)
		}
	}
}

func TestConcurrentRequestsShareALeaf(t *testing.T) {
	ca := newCA(t, github)
	got := make([]*tls.Certificate, 50)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i], _ = ca.Certificate("github.com") })
	}
	wg.Wait()
	for i, c := range got {
		if c == nil || c != got[0] {
			t.Fatalf("request %d got certificate %p, request 0 got %p", i, c, got[0])
		}
	}
}

func BenchmarkCertificate(b *testing.B) {
	ca := newCA(b, github)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := ca.Certificate("api.github.com"); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkMint(b *testing.B) {
	ca := newCA(b, github)
	for b.Loop() {
		if _, err := ca.mint("api.github.com", time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
