package githubtest

// TB is the part of [testing.TB] that Start needs. Programs that are no tests
// can use this package without linking package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start starts a server with the demo world for the length of a test.
func Start(tb TB, opts Options) *Server {
	tb.Helper()
	s, err := Demo(opts)
	if err != nil {
		tb.Fatalf("start the fake GitHub: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Fatalf("close the fake GitHub: %v", err)
		}
	})
	return s
}
