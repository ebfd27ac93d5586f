//go:build unix

package cli

import (
	"context"
	"net"
	"syscall"
)

// listenSocket listens on a Unix socket that everybody may connect to: who does
// is checked then. Where that cannot be told, it is the user's alone. Its file
// has its mode from the start: by chmod(2), which follows links, whoever may
// write to the directory could have another file opened up.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	mask := 0o177
	if tellsUsers {
		mask = 0o111
	}
	defer syscall.Umask(syscall.Umask(mask))
	return listen(ctx, "unix", path)
}

// listenPrivate listens on a Unix socket that is the user's alone.
func listenPrivate(ctx context.Context, path string) (net.Listener, error) {
	defer syscall.Umask(syscall.Umask(0o177))
	return listen(ctx, "unix", path)
}
