package grant

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/files"
	"ghapp-proxy/safepath"
)

const (
	keysFile    = "keys"
	revokedFile = "revoked"
	// maxKeyFile and maxRevokedFile are what is read of them, in bytes.
	maxKeyFile     = 1 << 16
	maxRevokedFile = 64 * MaxRevocations
)

// Files are the root keys and what is revoked, in the files of a directory. It is a
// Revocations, as of the last Refresh. It is safe for concurrent use, also by other
// processes.
type Files struct {
	dir     string
	keyPath string
	given   bool // somebody else makes the keys

	reading sync.Mutex
	was     [sha256.Size]byte // what has been read
	now     atomic.Pointer[read]
}

// read is what the files say.
type read struct {
	keys    Keys
	keyErr  error // why there are none
	revoked revoked
	err     error // why it is not known what is revoked
}

// Open returns the Files of a directory, which need not be there; keyFile has the
// root keys, "" for a file of the directory.
func Open(dir, keyFile string) *Files {
	f := &Files{dir: dir, keyPath: keyFile, given: keyFile != ""}
	if !f.given {
		f.keyPath = filepath.Join(dir, keysFile)
	}
	f.Refresh()
	return f
}

// Same reports whether other has the same files.
func (f *Files) Same(other *Files) bool {
	return f.dir == other.dir && f.keyPath == other.keyPath
}

// Refresh reads the files, and reports whether something is other than before.
func (f *Files) Refresh() (changed bool) {
	f.reading.Lock()
	defer f.reading.Unlock()
	keyText, keyErr := readPrivate(f.keyPath)
	revokedText, _, err := files.Read(f.revokedPath(), maxRevokedFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	is := sha256.Sum256(fmt.Appendf(nil, "%q %v %q %v", keyText, keyErr, revokedText, err))
	if f.now.Load() != nil && is == f.was {
		return false
	}
	now := &read{keyErr: keyErr, err: err}
	if keyErr == nil {
		now.keys, now.keyErr = ParseKeys(keyText)
	}
	if now.keyErr != nil {
		now.keyErr = fmt.Errorf("%s: %w", f.keyPath, now.keyErr)
	}
	if err == nil {
		now.revoked, now.err = parseRevoked(revokedText)
	}
	if now.err != nil {
		now.err = fmt.Errorf("%s: %w", f.revokedPath(), now.err)
	}
	f.was = is
	f.now.Store(now)
	return true
}

// readPrivate reads a file that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	text, info, err := files.Read(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" && !safepath.IsGiven(path, info) {
		return nil, fmt.Errorf("other users may read it (mode %04o): chmod 600 it", mode.Perm())
	}
	return text, safepath.Check(path)
}

func (f *Files) revokedPath() string { return filepath.Join(f.dir, revokedFile) }

// Keys are the root keys. The error is fs.ErrNotExist where nobody has made one.
func (f *Files) Keys() (Keys, error) {
	now := f.now.Load()
	return now.keys, now.keyErr
}

// Err says why it is not known which grants are good, nil if it is; a root key need
// not be there.
func (f *Files) Err() error {
	now := f.now.Load()
	if errors.Is(now.keyErr, fs.ErrNotExist) && !f.given {
		return now.err
	}
	return errors.Join(now.keyErr, now.err)
}

// Revoked implements Revocations.
func (f *Files) Revoked(ids []ID) (id ID, is bool, err error) {
	now := f.now.Load()
	if now.err != nil {
		return id, false, now.err
	}
	if len(now.revoked) == 0 {
		return id, false, nil
	}
	i := slices.IndexFunc(ids, func(id ID) bool { _, is := now.revoked[id]; return is })
	if i < 0 {
		return id, false, nil
	}
	return ids[i], true, nil
}

// Count is how many links are revoked, as far as that is known.
func (f *Files) Count() int { return len(f.now.Load().revoked) }

// List are the links that are revoked.
func (f *Files) List() ([]Revocation, error) {
	now := f.now.Load()
	return now.revoked.sorted(), now.err
}

// MakeKey makes the root key if nobody has.
func (f *Files) MakeKey() error {
	if _, err := f.Keys(); err == nil || !errors.Is(err, fs.ErrNotExist) || f.given {
		return err
	}
	return f.locked(func() error {
		if _, err := f.Keys(); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err // another process was faster
		}
		return f.replace(f.keyPath, Keys{NewKey()}.format())
	})
}

var errGivenKeys = errors.New("grant_key_file is somebody else's: put another key on a line of its own, below the first, everywhere; then move it to the top, everywhere")

// Rotate makes another root key, which signs from now on. Those of before verify,
// but for the oldest where there are too many.
func (f *Files) Rotate() error {
	if f.given {
		return errGivenKeys
	}
	return f.locked(func() error {
		keys, err := f.Keys()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		keys = append(Keys{NewKey()}, keys...)
		return f.replace(f.keyPath, keys[:min(len(keys), MaxKeys)].format())
	})
}

// Revoke revokes links until the grants that have them have ended.
func (f *Files) Revoke(list ...Revocation) error {
	return f.locked(func() error {
		now := f.now.Load()
		if now.err != nil {
			return now.err
		}
		all := make(revoked)
		for id, until := range now.revoked {
			all[id] = until
		}
		for _, r := range list {
			if r.Until.After(all[r.ID]) {
				all[r.ID] = r.Until
			}
		}
		if all.dropEnded(time.Now()); len(all) > MaxRevocations {
			return errManyRevocations
		}
		return f.replace(f.revokedPath(), all.format())
	})
}

// locked calls change while no other process changes the files, with what is in them.
func (f *Files) locked(change func() error) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	unlock, err := files.Lock(f.dir)
	switch {
	case err == nil:
		defer unlock()
	case !errors.Is(err, errors.ErrUnsupported):
		return err
	}
	f.Refresh()
	if err := change(); err != nil {
		return err
	}
	f.Refresh()
	return nil
}

// replace puts a file in place, all of it or nothing.
func (f *Files) replace(path string, text []byte) error {
	return files.Write(path, text, 0o600, os.Rename)
}

var _ Revocations = (*Files)(nil)
