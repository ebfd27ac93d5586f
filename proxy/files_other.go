//go:build !unix

package proxy

// maxFiles knows no limit.
func maxFiles() int { return 0 }

func lowestFile() (int, error) { return 0, nil }
