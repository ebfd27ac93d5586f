//go:build unix

package cli

import (
	"context"
	"net"
	"syscall"
)

// listenSocket listens on a Unix socket that everybody may connect to. Its file
// has that mode from the start: by chmod(2), which follows links, whoever may
// write to the directory could have another file opened up.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	defer syscall.Umask(syscall.Umask(0o111))
	return listen(ctx, "unix", path)
}
