//go:build !unix

package safepath

import "io/fs"

// Check has nothing to look at.
func Check(string) error { return nil }

// IsGiven cannot tell.
func IsGiven(string, fs.FileInfo) bool { return false }
