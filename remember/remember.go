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
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
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
	// maxSize bounds all values together, in bytes.
	maxSize = 128 << 20
	// maxFile is the longest file that is read, in bytes: it has room for all that is kept.
	maxFile = len(magic) + maxValues*headSize + maxSize
	// maxLife is for how long anything is kept.
	maxLife = 24 * time.Hour
	// magic begins the file.
	magic = "ghapp-proxy remembers, 1\n"
)

const (
	// generationSize is that of the generation which begins a value, in bytes.
	generationSize = 8
	// headSize is what stands before each value in the file, in bytes: its name, its end in milliseconds and its length.
	headSize = sha256.Size + 8 + 4
)

// Store is what is remembered. It is safe for concurrent use.
type Store struct {
	path string
	log  *slog.Logger

	saving sync.Mutex // held while the file is written

	mu      sync.Mutex
	values  map[name]value
	size    int  // of all values, in bytes
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
	text, _, err := files.Read(path, int64(maxFile))
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
	v := value{time.Now().Add(min(ttl, maxLife)), text}
	if !s.keep(of, v) {
		s.forgetEnded()
		if !s.keep(of, v) {
			return
		}
	}
	s.changed = true
}

// keep keeps a value in place of any other, and reports whether there is room for it. s.mu is held.
func (s *Store) keep(of name, v value) bool {
	before, ok := s.values[of]
	size := s.size - len(before.text) + len(v.text)
	if size > maxSize || !ok && len(s.values) >= maxValues {
		return false
	}
	s.values[of], s.size = v, size
	return true
}

// forget forgets a value. s.mu is held.
func (s *Store) forget(of name) {
	s.size -= len(s.values[of].text)
	delete(s.values, of)
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
		s.forget(of)
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

// Dropped does nothing of a value that does not open: it ends by itself.
func (s *Store) Dropped() {}

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
			s.forget(of)
		}
	}
}

// encode is the file, nil where nothing is new.
func (s *Store) encode() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil
	}
	s.changed = false
	s.forgetEnded()
	text := append(make([]byte, 0, len(magic)+len(s.values)*headSize+s.size), magic...)
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
	text, ok := bytes.CutPrefix(text, []byte(magic))
	if !ok {
		s.log.Warn("what was remembered is not understood", "file", s.path)
		return
	}
	for now := time.Now(); len(text) > 0; {
		if text, ok = s.readOne(text, now); !ok {
			s.log.Warn("what was remembered is damaged", "file", s.path, "values", len(s.values))
			return
		}
	}
}

// readOne takes in the first value, and returns what follows it. It is not ok where there is none, or no room for it.
func (s *Store) readOne(text []byte, now time.Time) (rest []byte, ok bool) {
	if len(text) < headSize {
		return nil, false
	}
	of, until, length := name(text), time.UnixMilli(int64(binary.BigEndian.Uint64(text[sha256.Size:]))), binary.BigEndian.Uint32(text[sha256.Size+8:])
	text = text[headSize:]
	if length > maxValue || int(length) > len(text) {
		return nil, false
	}
	ok = true
	if left := until.Sub(now); left > 0 && left <= maxLife {
		ok = s.keep(of, value{now.Add(left), bytes.Clone(text[:length])}) // not the whole file's memory
	}
	return text[length:], ok
}
