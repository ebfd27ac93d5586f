package config

import (
	"io/fs"
	"slices"
	"sync"

	"ghapp-proxy/files"
)

// Reading is what the Loads of one configuration, one after the other, have in
// common. The zero value is for the first. It is safe for concurrent use, and a nil
// Reading remembers nothing.
type Reading struct {
	mu    sync.Mutex
	pipes map[string][]byte // path → what a pipe gave, which it does once
	named []string          // by the Load that is under way, or was the last
}

// Files are those that the last Load read or would have read, faulty or missing ones
// included: when one of them changes, another Load may come to something else.
func (r *Reading) Files() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(r.named)))
}

// begin begins another Load.
func (r *Reading) begin() {
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.named = nil
	}
}

// name notes a file.
func (r *Reading) name(path string) {
	if r != nil && path != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.named = append(r.named, path)
	}
}

// readFile reads a file of bounded size; of a pipe it returns what was in it the
// first time. With a warning function it also reports if others may read the file.
// Its errors do not name the file.
func (r *Reading) readFile(path string, warn func(error)) ([]byte, error) {
	r.name(path)
	if text, ok := r.remembered(path); ok {
		return text, nil
	}
	text, info, err := files.Read(path, maxFile)
	if err == nil && warn != nil {
		checkFile(path, info, warn)
	}
	if err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		r.remember(path, text)
	}
	return text, err
}

func (r *Reading) remembered(path string) (text []byte, ok bool) {
	if r == nil {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text, ok = r.pipes[path]
	return text, ok
}

func (r *Reading) remember(path string, text []byte) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipes == nil {
		r.pipes = make(map[string][]byte)
	}
	r.pipes[path] = text
}
