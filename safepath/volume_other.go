//go:build unix && !linux

package safepath

// isOfVolume does not tell: containers are Linux's.
func isOfVolume(string, uint32) bool { return false }

// isReadOnly does not tell.
func isReadOnly(string) bool { return false }
