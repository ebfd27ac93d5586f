// Package remember keeps what a proxy has learned over a restart: sealed values, in a file.
//
//	kept := remember.Open(filepath.Join(stateDir, remember.Name), log)
//	go kept.Run(ctx) // writes it each minute
//	source := auth.New(apps, auth.Options{Shared: kept})
//	…
//	kept.Save()
//
// It is an auth.Shared that shares with nobody but the process that comes next. What is filed it does not understand:
// whoever files it has sealed it, and bound it to its key. Names are hashes.
//
// # Limitations
//
// What was filed less than a minute before a crash is lost. Two processes with one file write over each other's. Whoever can write
// the file can take values away, and bring back old ones, but no others.
package remember

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/files"
	"ghapp-proxy/panics"
)

// Name is that of the file.
const Name = "remembered"

const (
	// saveEvery is how often the file is written, where something is new.
	saveEvery = time.Minute
	// maxValues is how many values are kept: the tokens of 15,000 installations and what was asked about 30,000 owners are less.
	maxValues = 100_000
	// maxValue is the longest value, in bytes.
	maxValue = 64 << 10
	// maxFile is the longest file that is read, in bytes.
	maxFile = 512 << 20
	// maxLife is for how long anything is kept.
	maxLife = 24 * time.Hour
	// magic begins the file.
	magic = "ghapp-proxy remembers, 1\n"
)

// generationSize is that of the generation which begins a value, in bytes.
const generationSize = 8

// Store is what is remembered. It is safe for concurrent use.
type Store struct {
	path string
	log  *slog.Logger

	dropped atomic.Uint64
	saving  sync.Mutex // held while the file is written

	mu      sync.Mutex
	values  map[name]value
	changed bool // since it was written
}

// name is the hash of a key.
type name [sha256.Size]byte

type value struct {
	until time.Time
	text  []byte
}

// Open returns what a file has. One that is not there, or is no such file, has nothing.
func Open(path string, log *slog.Logger) *Store {
	s := &Store{path: path, log: log, values: make(map[name]value)}
	text, _, err := files.Read(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		log.Warn("what was remembered cannot be read", "error", err)
	default:
		s.read(text)
	}
	return s
}

// Count is how many values there are.
func (s *Store) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values)
}

// Run writes the file from time to time, until ctx ends.
func (s *Store) Run(ctx context.Context) {
	defer panics.Log(s.log, "what was learned is not written any more")
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Save()
		case <-ctx.Done():
			return
		}
	}
}

// Save writes the file, if something is new. It logs what keeps it from that.
func (s *Store) Save() {
	s.saving.Lock()
	defer s.saving.Unlock()
	text := s.encode()
	if text == nil {
		return
	}
	err := os.MkdirAll(filepath.Dir(s.path), 0o700)
	if err == nil {
		err = files.Write(s.path, text, 0o600, os.Rename)
	}
	if err != nil {
		s.mu.Lock()
		s.changed = true
		s.mu.Unlock()
		s.log.Warn("what was learned is not remembered", "error", err)
	}
}

// Claim returns what is filed, unless it is of a generation; if there is nothing, done is to be called with what is made.
func (s *Store) Claim(_ context.Context, key string, besides uint64) ([]byte, func([]byte, time.Duration)) {
	if text := s.get(key); text != nil && generationOf(text) != besides {
		return text, nil
	}
	return nil, func(made []byte, ttl time.Duration) { s.Put(key, made, ttl) }
}

// Get returns what is filed, nil for nothing.
func (s *Store) Get(_ context.Context, key string) []byte { return s.get(key) }

func (s *Store) get(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[sha256.Sum256([]byte(key))]
	if !ok || !time.Now().Before(v.until) {
		return nil
	}
	return v.text
}

// Put files a value, nil for nothing.
func (s *Store) Put(key string, text []byte, ttl time.Duration) {
	if len(text) == 0 || len(text) > maxValue || ttl <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := name(sha256.Sum256([]byte(key)))
	if _, ok := s.values[of]; !ok && len(s.values) >= maxValues {
		if s.forgetEnded(); len(s.values) >= maxValues {
			return
		}
	}
	s.values[of], s.changed = value{time.Now().Add(min(ttl, maxLife)), text}, true
}

// Offer files a value where there is none.
func (s *Store) Offer(key string, text []byte, ttl time.Duration) {
	if s.get(key) == nil {
		s.Put(key, text, ttl)
	}
}

// Delete removes a value of a generation.
func (s *Store) Delete(key string, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := name(sha256.Sum256([]byte(key)))
	if v, ok := s.values[of]; ok && generationOf(v.text) == generation {
		delete(s.values, of)
		s.changed = true
	}
}

// Replace removes a value of a generation. It knows of no others that might have done so.
func (s *Store) Replace(_ context.Context, key string, generation uint64, _ time.Duration) (may, ok bool) {
	s.Delete(key, generation)
	return false, false
}

// Tell tells nobody.
func (s *Store) Tell(string, []byte) {}

// Hear hears nothing.
func (s *Store) Hear(string, func([]byte)) {}

// Back never comes, since nothing goes away.
func (s *Store) Back(func()) {}

// Dropped counts a value that does not open.
func (s *Store) Dropped() { s.dropped.Add(1) }

// generationOf is the generation of a value, 0 of one that has none.
func generationOf(text []byte) uint64 {
	if len(text) < generationSize {
		return 0
	}
	return binary.BigEndian.Uint64(text)
}

// forgetEnded forgets what has ended. s.mu is held.
func (s *Store) forgetEnded() {
	now := time.Now()
	for of, v := range s.values {
		if !now.Before(v.until) {
			delete(s.values, of)
		}
	}
}

// encode is the file, nil where nothing is new. Each value stands behind its name, its end in milliseconds and its length.
func (s *Store) encode() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil
	}
	s.changed = false
	s.forgetEnded()
	text := []byte(magic)
	for of, v := range s.values {
		text = append(text, of[:]...)
		text = binary.BigEndian.AppendUint64(text, uint64(v.until.UnixMilli()))
		text = binary.BigEndian.AppendUint32(text, uint32(len(v.text)))
		text = append(text, v.text...)
	}
	return text
}

// read takes in a file, as far as it is one.
func (s *Store) read(text []byte) {
	const head = sha256.Size + 8 + 4
	if len(text) < len(magic) || string(text[:len(magic)]) != magic {
		s.log.Warn("what was remembered is not understood", "file", s.path)
		return
	}
	now := time.Now()
	for text = text[len(magic):]; len(text) >= head && len(s.values) < maxValues; {
		of, until, length := name(text), time.UnixMilli(int64(binary.BigEndian.Uint64(text[sha256.Size:]))), int(binary.BigEndian.Uint32(text[sha256.Size+8:]))
		text = text[head:]
		if length > len(text) {
			return
		}
		if left := until.Sub(now); left > 0 && left <= maxLife {
			s.values[of] = value{now.Add(left), append([]byte(nil), text[:length]...)}
		}
		text = text[length:]
	}
}
