//go:build unix

package cli

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// listenSocket listens on a Unix socket that everybody may connect to: who does
// is checked then. Where that cannot be told, it is the user's alone. Its file
// has its mode from the start: by chmod(2), which follows links, whoever may
// write to the directory could have another file opened up.
func listenSocket(ctx context.Context, path string) (net.Listener, error) {
	if !tellsUsers {
		return listenPrivate(ctx, path)
	}
	return listenMasked(ctx, path, 0o111)
}

// listenPrivate listens on a Unix socket that is the user's alone. A directory that is
// made meanwhile stays its owner's to use.
func listenPrivate(ctx context.Context, path string) (net.Listener, error) {
	return listenMasked(ctx, path, 0o077)
}

// umask is held by who changes it: it is the whole process's.
var umask sync.Mutex

func listenMasked(ctx context.Context, path string, mask int) (net.Listener, error) {
	umask.Lock()
	defer umask.Unlock()
	defer syscall.Umask(syscall.Umask(mask))
	return listen(ctx, "unix", path)
}
