//go:build !unix

package cli

// mayWriteIn reports why no file can be made in a directory; here that shows
// when it is made.
func mayWriteIn(string) error { return nil }
