package auth

import (
	"log/slog"
	"sync"
	"time"
)

// tokens are the installation tokens of all Apps.
type tokens struct {
	memory   *memory
	issued   *cache[issued] // generation → a token that may be revoked
	replaced *cache[uint64] // key of a token → the generation that was replaced of late
	log      *slog.Logger
	sweeper  *sweeper
	*flights

	discarding sync.Mutex // held while a refused token is taken out
}

// issued is a token that is filed.
type issued struct {
	*Token
	by     *minter
	key    string // under which it is
	theirs bool   // another replica minted it
}

func newTokens(f *flights, sweeper *sweeper) *tokens {
	t := &tokens{
		memory: newMemory(), issued: newCache[issued](maxTokens), replaced: newCache[uint64](maxTokens),
		log: f.log, sweeper: sweeper, flights: f,
	}
	sweeper.keep([]expirer{t.memory, t.issued}, []expirer{t.replaced})
	return t
}

// valid returns the token filed under key if it can be used, else nil.
func (t *tokens) valid(key string, now time.Time) *Token {
	if token := t.memory.get(key); token != nil && now.Before(token.until) {
		return token
	}
	return nil
}

// file files a token that is good for a time, for who asks for one and for Revoke, and
// sees to it that it is dropped then.
func (t *tokens) file(token issued, use time.Duration) {
	t.issued.set(token.name(), token, token.expires.Sub(token.by.clock.now()))
	t.memory.put(token.key, token.Token, use)
	t.sweeper.start()
}
