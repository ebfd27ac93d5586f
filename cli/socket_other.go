//go:build !unix

package cli

import (
	"context"
	"net"
)

// listenSocket listens on a Unix socket.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	return listen(ctx, "unix", path)
}

// listenPrivate listens on a Unix socket that is the user's alone, if its directory is.
func listenPrivate(ctx context.Context, path string) (net.Listener, error) {
	return listen(ctx, "unix", path)
}
