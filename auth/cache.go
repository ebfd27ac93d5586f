package auth

import (
	"cmp"
	"slices"
	"sync"
	"time"

	gocache "github.com/patrickmn/go-cache"
)

// cache is a go-cache with a type and a bound. It is safe for concurrent use.
type cache[V any] struct {
	entries *gocache.Cache
	max     int
	setting sync.Mutex // held by set, for the bound's sake
}

// newCache returns a cache of at most max entries. It starts no goroutine:
// expired entries are dropped when room is needed, or by dropExpired.
func newCache[V any](max int) *cache[V] {
	return &cache[V]{entries: gocache.New(gocache.NoExpiration, 0), max: max}
}

// get returns the entry for key unless it has expired.
func (c *cache[V]) get(key string) (v V, ok bool) {
	entry, ok := c.entries.Get(key)
	if !ok {
		return v, false
	}
	return entry.(V), true
}

// set stores v for ttl, a day at most; a ttl of zero or less stores nothing.
// Where the cache is full, the sixteenth of it that would expire soonest makes
// room.
func (c *cache[V]) set(key string, v V, ttl time.Duration) {
	c.setting.Lock()
	defer c.setting.Unlock()
	if ttl <= 0 { // go-cache takes 0 and -1 for "default" and "never"
		c.entries.Delete(key)
		return
	}
	if c.entries.ItemCount() >= c.max {
		c.makeRoom()
	}
	// go-cache never drops what would expire after 2262, when UnixNano overflows.
	c.entries.Set(key, v, min(ttl, 24*time.Hour))
}

// each calls f with every entry that has not expired.
func (c *cache[V]) each(f func(key string, v V)) {
	for key, item := range c.entries.Items() {
		f(key, item.Object.(V))
	}
}

func (c *cache[V]) makeRoom() {
	c.entries.DeleteExpired()
	items := c.entries.Items()
	if len(items) < c.max {
		return
	}
	keys := make([]string, 0, len(items))
	for key := range items {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Compare(items[a].Expiration, items[b].Expiration)
	})
	for _, key := range keys[:1+c.max/16] {
		c.entries.Delete(key)
	}
}

// dropExpired drops what has expired, and returns how many entries are left.
func (c *cache[V]) dropExpired() int {
	c.entries.DeleteExpired()
	return c.entries.ItemCount()
}

// delete drops the entry for key.
func (c *cache[V]) delete(key string) { c.entries.Delete(key) }

// take takes out the entries that which reports true of, and returns what of them had
// not expired.
func (c *cache[V]) take(which func(V) bool) (taken []V) {
	c.setting.Lock()
	defer c.setting.Unlock()
	for key, item := range c.entries.Items() {
		if v := item.Object.(V); which(v) {
			taken = append(taken, v)
			c.entries.Delete(key)
		}
	}
	return taken
}
