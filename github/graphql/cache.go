package graphql

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Limits of a Cache.
const (
	maxTexts  = 1000     // documents
	maxWeight = 16 << 20 // bytes that they take, about
	maxOf     = 64 << 10 // bytes of one document's text
)

// Cache keeps what was parsed of documents: tools send the same few texts again and
// again, with other variables. What it keeps depends on the text alone, which is
// compared whole, so that it does not matter who sent it first. A text is kept when it
// comes for the second time: many that come but once take nothing and displace
// nothing.
//
// Make one with NewCache. It is safe for concurrent use. A nil Cache keeps nothing.
type Cache struct {
	seed maphash.Seed

	mu     sync.Mutex
	texts  *simplelru.LRU[string, entry]
	weight int
	once   [2048]uint64 // hashes of texts that came once, the newest for each place
}

type entry struct {
	text   *text
	weight int
}

// NewCache returns a Cache without documents.
func NewCache() *Cache {
	c := &Cache{seed: maphash.MakeSeed()}
	c.texts, _ = simplelru.NewLRU(maxTexts, func(_ string, e entry) { c.weight -= e.weight })
	return c
}

// parse is the function parse.
func (c *Cache) parse(query string) (*text, error) {
	if c == nil || len(query) > maxOf {
		return parse(query)
	}
	if t := c.find(query); t != nil {
		return t, nil
	}
	t, err := parse(query)
	if err == nil {
		c.keep(query, t)
	}
	return t, err
}

func (c *Cache) find(query string) *text {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, _ := c.texts.Get(query)
	return e.text
}

// keep keeps a text that has come before.
func (c *Cache) keep(query string, t *text) {
	hash := maphash.String(c.seed, query)
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := &c.once[hash%uint64(len(c.once))]; *before != hash {
		*before = hash
		return
	}
	e := entry{t, weigh(query)}
	// Clone: the text is part of a body, which is larger.
	c.texts.Add(strings.Clone(query), e)
	for c.weight += e.weight; c.weight > maxWeight; {
		c.texts.RemoveOldest()
	}
}

// tokenWeight is the most bytes that a token takes when it is parsed: the value of a
// list, with its position (TestWeight).
const tokenWeight = 320

// weigh returns the most bytes that a document takes in memory.
func weigh(query string) int {
	tokens, inWord := 0, false
	for _, c := range []byte(query) {
		word := c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !word && c > ' ' || word && !inWord {
			tokens++
		}
		inWord = word
	}
	return 2*len(query) + tokens*tokenWeight
}
