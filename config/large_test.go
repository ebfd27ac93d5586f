package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/policy"
)

// large is a configuration with so many installations, and a tenth as many clients and
// rules.
func large(installations int) string {
	var b strings.Builder
	b.WriteString("[app.ci]\nid = 1\nprivate_key_file = \"app.pem\"\n[app.ci.installations]\n")
	for i := range installations {
		fmt.Fprintf(&b, "owner-%d = %d\n", i, i+1)
	}
	for i := range installations / 10 {
		fmt.Fprintf(&b, "[client.c%d]\nsecret_hash = %q\n", i, policy.HashSecret(fmt.Sprint(i)))
	}
	for i := range installations / 10 {
		fmt.Fprintf(&b, "[[rule]]\nmethods = [\"GET\"]\nclients = [\"c%d\"]\npaths = [\"/repos/{owner}/{repo}/pulls/%d/merge\"]\ndeny = \"no\"\n", i, i)
	}
	return b.String()
}

// TestLargeTakesItsShare: what a configuration takes grows with its size, and not with
// the square of that.
func TestLargeTakesItsShare(t *testing.T) {
	allocations := func(text string) float64 {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.toml")
		write(t, path, text)
		write(t, filepath.Join(dir, "app.pem"), testPEM())
		return testing.AllocsPerRun(1, func() {
			if _, err := Load(t.Context(), Source{Path: path, HomeDir: "/home/me", LookupEnv: environ(nil)}); err != nil {
				t.Fatal(err)
			}
		})
	}
	small, large := allocations(large(1000)), allocations(large(10_000))
	if large > 13*small {
		t.Errorf("1,000 installations take %.0f allocations, 10,000 %.0f", small, large)
	}
}

func BenchmarkLoadLarge(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "config.toml")
	write(b, path, large(10_000))
	write(b, filepath.Join(dir, "app.pem"), testPEM())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(b.Context(), Source{Path: path, HomeDir: "/home/me", LookupEnv: environ(nil)}); err != nil {
			b.Fatal(err)
		}
	}
}
