//go:build unix

package cli

// hasControl says that a socket's file is open to nobody but its user.
const hasControl = true
