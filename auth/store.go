package auth

import (
	"context"
	"sync"
	"time"
)

// maxTokens is how many tokens are kept, as @octokit/auth-app does.
const maxTokens = 15000

// Store keeps installation tokens, for all that share it. It is safe for concurrent
// use. One that cannot be reached logs that, and behaves as if it was empty.
type Store interface {
	// Get returns the token filed under a key, nil if there is none. The caller
	// must not change it. A Store that decodes it returns the same *Token for the
	// same generation where it can: what is known of the token beside what is
	// encoded (that GitHub accepted it, that its renewal failed) is in there.
	Get(ctx context.Context, key string) *Token
	// Put files a token for a time, in place of any other. A time that is not
	// positive files nothing, and removes what was there.
	Put(ctx context.Context, key string, t *Token, ttl time.Duration)
	// Delete removes a token, unless one of another generation has taken its
	// place, and reports whether it did.
	Delete(ctx context.Context, key string, generation uint64) bool
	// Lock waits until nobody else mints for a key; unlock must be called. The
	// error is ctx's, or why that cannot be known: nothing is minted then.
	Lock(ctx context.Context, key string) (unlock func(), err error)
}

// memory is a Store within the process.
type memory struct {
	tokens *cache[*Token]

	mu      sync.Mutex
	minting map[string]chan struct{} // key → closed when its mint has ended
}

func newMemory() *memory {
	return &memory{tokens: newCache[*Token](maxTokens), minting: make(map[string]chan struct{})}
}

// Get implements Store.
func (m *memory) Get(_ context.Context, key string) *Token {
	t, _ := m.tokens.get(key)
	return t
}

// Put implements Store.
func (m *memory) Put(_ context.Context, key string, t *Token, ttl time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens.set(key, t, ttl)
}

// Delete implements Store.
func (m *memory) Delete(_ context.Context, key string, generation uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tokens.get(key); !ok || t.Generation != generation {
		return false
	}
	m.tokens.delete(key)
	return true
}

// Lock implements Store.
func (m *memory) Lock(ctx context.Context, key string) (unlock func(), err error) {
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
