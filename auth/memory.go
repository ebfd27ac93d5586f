package auth

import (
	"context"
	"sync"
	"time"
)

// maxTokens is how many tokens are kept, as @octokit/auth-app does.
const maxTokens = 15000

// memory keeps installation tokens within the process. It is safe for concurrent use.
type memory struct {
	tokens *cache[*Token]

	mu      sync.Mutex
	minting map[string]chan struct{} // key → closed when its mint has ended
}

func newMemory() *memory {
	return &memory{tokens: newCache[*Token](maxTokens), minting: make(map[string]chan struct{})}
}

// get returns the token filed under a key, nil if there is none. The caller must not change it.
func (m *memory) get(key string) *Token {
	t, _ := m.tokens.get(key)
	return t
}

// put files a token for a time, in place of any other. A time that is not positive files nothing, and removes
// what was there.
func (m *memory) put(key string, t *Token, ttl time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens.set(key, t, ttl)
}

// delete removes a token, unless one of another generation has taken its place, and reports whether it did.
func (m *memory) delete(key string, generation uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tokens.get(key); !ok || t.Generation != generation {
		return false
	}
	m.tokens.delete(key)
	return true
}

// lock waits until nobody else mints for a key; unlock must be called. The error is ctx's.
func (m *memory) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		m.mu.Lock()
		others, busy := m.minting[key]
		if !busy {
			m.minting[key] = make(chan struct{})
			m.mu.Unlock()
			return func() { m.unlock(key) }, nil
		}
		m.mu.Unlock()
		select {
		case <-others:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (m *memory) unlock(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.minting[key])
	delete(m.minting, key)
}

// dropExpired drops what has expired, and returns how much is left.
func (m *memory) dropExpired() int { return m.tokens.dropExpired() }
