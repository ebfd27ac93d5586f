//go:build !unix

package cli

// hasControl says that a socket's file is open to nobody but its user: its mode does
// not say so here.
const hasControl = false
