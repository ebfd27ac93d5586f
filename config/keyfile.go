package config

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"ghapp-proxy/auth"
	"ghapp-proxy/leak"
)

// keyFile is a private key in a file. The file is read again for each JWT,
// which is every eight minutes and whenever GitHub refuses the key: so it can
// be replaced, in place or by a rename or the symbolic links of a Kubernetes
// volume, and nothing has to be watched.
type keyFile struct {
	path string
	log  *slog.Logger

	mu  sync.Mutex
	key *auth.Key
}

// openKeyFile reads a key; warn is told if others may read it too.
func openKeyFile(reading *Reading, path string, warn func(error), log *slog.Logger) (*keyFile, error) {
	key, err := readKey(reading, path, warn)
	if err != nil {
		return nil, err
	}
	return &keyFile{path: path, log: log, key: key}, nil
}

func readKey(reading *Reading, path string, warn func(error)) (*auth.Key, error) {
	text, err := reading.readFile(path, warn)
	if err != nil {
		return nil, err
	}
	private, err := auth.ParseKey(text)
	if err != nil {
		return nil, err
	}
	return auth.NewKey(private), nil
}

// Sign implements auth.Signer.
func (f *keyFile) Sign(ctx context.Context, signingInput []byte) ([]byte, error) {
	return f.current().Sign(ctx, signingInput)
}

// current returns the key in the file, or the last that was there.
func (f *keyFile) current() *auth.Key {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return f.key // a pipe is read but once, and might block
	}
	var warnings []error
	key, err := readKey(nil, f.path, func(w error) { warnings = append(warnings, w) })
	switch {
	case err != nil:
		f.log.Warn("a key file cannot be read again: its last key is used on", "file", f.path, "key", f.key.String(), "error", err)
	case !key.Equal(f.key):
		for _, w := range warnings {
			f.log.Warn(w.Error())
		}
		f.log.Info("a key file has another key", "file", f.path, "key", key.String())
		f.key = key
	}
	return f.key
}

// Equal reports whether a Signer is the same file with the same key.
func (f *keyFile) Equal(other auth.Signer) bool {
	o, ok := other.(*keyFile)
	return ok && (o == f || o.String() == f.String())
}

// Marks are those of the key that was in the file when it was read last.
func (f *keyFile) Marks() *leak.Marks {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.key.Marks()
}

// String returns the fingerprint and the path.
func (f *keyFile) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%s of %s", f.key, f.path)
}

// Format implements fmt.Formatter with String, whatever the verb.
func (f *keyFile) Format(s fmt.State, _ rune) { io.WriteString(s, f.String()) }
