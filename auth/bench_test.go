package auth_test

import (
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

func BenchmarkForOwner(b *testing.B) {
	fake := &api{answers: map[string]reply{
		"GET /users/globex/installation":        installed(2, "globex", "all"),
		"GET /repos/globex/tools/installation":  installed(2, "globex", "all"),
		"GET /repos/initech/paper/installation": installed(3, "initech", "selected"),
	}}
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 1}
	app.Enterprises = map[string]github.InstallationID{"corp": 4}
	s := newSource(b, fake, auth.FallbackRefuse, app)
	for _, bench := range []struct{ name, owner string }{
		{"mapped", "acme/widgets"},
		{"mapped, capitals", "Acme/Widgets"},
		{"mapped enterprise", "enterprises/corp"},
		{"discovered", "globex/tools"},
		{"discovered, selected", "initech/paper"},
		{"no owner", ""},
	} {
		b.Run(bench.name, func(b *testing.B) {
			o := owner(bench.owner)
			if bench.owner == "" {
				home := newApp("home", 2)
				home.DefaultInstallation = 5
				s = newSource(b, fake, auth.FallbackRefuse, home)
			}
			mustToken(b, s, bench.owner)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.ForOwner(b.Context(), "github.com", o, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkForOwnerParallel(b *testing.B) {
	s := acmeSource(b, &api{})
	mustToken(b, s, "acme")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.ForOwner(b.Context(), "github.com", github.Account{Login: "acme"}, true); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkForApp(b *testing.B) {
	s := acmeSource(b, &api{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.ForApp(b.Context(), "github.com", "", 111, github.Account{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForAppParallel(b *testing.B) {
	s := acmeSource(b, &api{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.ForApp(b.Context(), "github.com", "", 0, github.Account{Login: "acme"}); err != nil {
				b.Error(err)
			}
		}
	})
}

// TestNoAllocations: the commonest requests cost the garbage collector nothing.
func TestNoAllocations(t *testing.T) {
	fake := &api{answers: map[string]reply{"GET /repos/globex/tools/installation": installed(2, "globex", "all")}}
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 1}
	s := newSource(t, fake, auth.FallbackRefuse, app)
	for _, o := range []string{"acme/widgets", "globex/tools"} {
		want := owner(o)
		if n := testing.AllocsPerRun(100, func() { s.ForOwner(t.Context(), "github.com", want, true) }); n != 0 {
			t.Errorf("ForOwner(%s) allocates %v times, want 0", o, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.ForApp(t.Context(), "github.com", "", 0, github.Account{Login: "acme"}) }); n != 0 {
		t.Errorf("ForApp allocates %v times, want 0", n)
	}
}
