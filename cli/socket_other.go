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
