package githubtest

import "testing"

func BenchmarkDemo(b *testing.B) {
	for b.Loop() {
		s, err := Demo(Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
