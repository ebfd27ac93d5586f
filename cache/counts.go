package cache

import "sync/atomic"

// counts are since the start.
type counts struct {
	hits, validated, misses, shared  atomic.Uint64
	kept, evicted, doubted, recalled atomic.Uint64
	bytes, quota                     atomic.Uint64
}

// Stats are what a Cache is doing, and what it did since the start.
type Stats struct {
	Size, Used int64 // bytes
	Answers    int   // that are kept
	Quiet      bool  // GitHub's ETags are not what they should be: nothing is kept for a while

	Hits      uint64 // answers with a kept body
	Validated uint64 // 304 to a client, whose ETag was another token's
	Misses    uint64 // answers that had to be fetched
	Shared    uint64 // answers to one request that others got as well, without asking
	Kept      uint64 // answers that were
	Evicted   uint64 // to make room
	Doubted   uint64 // whose ETag was not what it should be
	Recalled  uint64 // answers that another replica had kept

	BytesSaved uint64 // of bodies that GitHub did not send
	QuotaSaved uint64 // requests that cost nothing of a rate limit
}

// Stats says what the Cache is doing. It may be nil.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	n := &c.counts
	s := Stats{
		Hits: n.hits.Load(), Validated: n.validated.Load(), Misses: n.misses.Load(), Shared: n.shared.Load(),
		Kept: n.kept.Load(), Evicted: n.evicted.Load(), Doubted: n.doubted.Load(), Recalled: n.recalled.Load(),
		BytesSaved: n.bytes.Load(), QuotaSaved: n.quota.Load(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Size, s.Used, s.Answers, s.Quiet = c.size.Load(), c.used, c.recent.length, c.doubts.quiet()
	return s
}

// CountHit counts an answer that came of GitHub's 304. It cost nothing of a rate limit if there is one.
func (c *Cache) CountHit(f Fate, limited bool) {
	if f.How == Hit {
		c.counts.hits.Add(1)
	} else {
		c.counts.validated.Add(1)
	}
	c.counts.bytes.Add(uint64(f.Length))
	c.countQuota(limited && f.Length > 0)
}

func (c *Cache) countQuota(limited bool) {
	if limited {
		c.counts.quota.Add(1)
	}
}

// CountMiss counts an answer that had to be fetched.
func (c *Cache) CountMiss() { c.counts.misses.Add(1) }

// CountShared counts an answer of that length that was another's, too.
func (c *Cache) CountShared(length int64, limited bool) {
	c.counts.shared.Add(1)
	c.counts.bytes.Add(uint64(max(0, length)))
	c.countQuota(limited)
}
