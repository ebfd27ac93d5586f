package shared

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"ghapp-proxy/panics"

	"github.com/redis/go-redis/v9"
)

const (
	// maxSet is how much is kept of a set, here and in the store: what ends last.
	maxSet = 100_000
	// maxLooks is among how many that are kept one is looked for that ends before another.
	maxLooks = 16
	// followEvery is how often it is looked whether there is more in a set, where nobody says so.
	followEvery = 5 * time.Second

	setName     = ":s"
	versionName = ":w"
)

var (
	// addScript adds the pairs of a thing and for how many milliseconds it is to be known in ARGV, by the store's clock,
	// and drops what has ended, and what is more than ARGV[3]. The set lasts as long as what is in it. Its version grows, also from before the
	// store was emptied: it is the time, or one more than the last.
	addScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'GT', now + ARGV[i + 1], ARGV[i]) end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local ends = math.max(tonumber(last[2] or now), now + 1000)
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends))
local version = math.max((tonumber(redis.call('GET', KEYS[2])) or 0) + 1, now)
redis.call('SET', KEYS[2], string.format('%.0f', version), 'PXAT', string.format('%.0f', ends))
return redis.call('PUBLISH', ARGV[1], ARGV[2])`)
	// readScript returns up to ARGV[1] of what is in a set, what ends last, each thing with for how many milliseconds it is to be
	// known.
	readScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local all = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 2, #all, 2 do all[i] = string.format('%.0f', all[i] - now) end
return all`)
)

// Set is a set of things that all replicas have to know, each for a time: of what is revoked, say. What this replica has
// added or read it knows until then, whatever becomes of the store. It is safe for concurrent use.
type Set struct {
	store   *Store
	name    string
	slot    string
	changed func()
	look    chan struct{}

	mu      sync.RWMutex
	until   map[string]time.Time
	version string // that was read last
}

// Set returns the set of that name, and follows it; changed, if it is not nil, is called when there is more in it. It is
// called once for each name.
func (s *Store) Set(name string, changed func()) *Set {
	set := &Set{store: s, name: name, slot: s.slot("set|" + name), changed: changed, look: make(chan struct{}, 1), until: make(map[string]time.Time)}
	s.Hear("set-"+name, func([]byte) { set.lookNow() })
	s.Back(func() {
		set.mu.Lock()
		defer set.mu.Unlock()
		set.forgetEnded()
		set.write(set.until)
	})
	set.lookNow()
	if s.begin() {
		go func() {
			defer s.work.Done()
			set.follow()
		}()
	}
	return set
}

// Has reports whether a thing is in the set.
func (s *Set) Has(thing string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	until, ok := s.until[thing]
	return ok && time.Now().Before(until)
}

// Len is how much is in the set, with what has ended of late.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.until)
}

// Add adds things until some times, here at once, and for others when it comes to that.
func (s *Set) Add(things map[string]time.Time) {
	more := make(map[string]time.Time)
	s.mu.Lock()
	if len(s.until)+len(things) > maxSet {
		s.forgetEnded()
	}
	for thing, until := range things {
		if old, ok := s.until[thing]; until.After(time.Now()) && (!ok || until.Sub(old) > time.Second) {
			s.keep(thing, until)
			more[thing] = until
		}
	}
	s.mu.Unlock()
	s.write(more)
}

// keep keeps a thing. s.mu is held. Where there is too much, one goes that ends before it.
func (s *Set) keep(thing string, until time.Time) {
	if _, ok := s.until[thing]; !ok && len(s.until) >= maxSet {
		looks := 0
		for other, end := range s.until {
			if end.Before(until) {
				delete(s.until, other)
				break
			}
			if looks++; looks == maxLooks {
				return
			}
		}
	}
	s.until[thing] = until
}

// forgetEnded forgets what is not to be known any more. s.mu is held.
func (s *Set) forgetEnded() {
	now := time.Now()
	maps.DeleteFunc(s.until, func(_ string, until time.Time) bool { return !now.Before(until) })
}

// write has the store know of things.
func (s *Set) write(things map[string]time.Time) {
	const most = 500 // at once
	first := []any{s.store.channel(), topicMessage + "set-" + s.name + ":", maxSet}
	args := slices.Clone(first)
	send := func() {
		all := args
		args = slices.Clone(first)
		s.store.write(s.slot, func(ctx context.Context) error {
			return addScript.Run(ctx, s.store.client, []string{s.slot + setName, s.slot + versionName}, all...).Err()
		})
	}
	for thing, until := range things {
		if args = append(args, thing, time.Until(until).Milliseconds()); len(args) > 2*most {
			send()
		}
	}
	if len(args) > len(first) {
		send()
	}
}

func (s *Set) lookNow() {
	select {
	case s.look <- struct{}{}:
	default:
	}
}

// follow reads what is new until the end of the store.
func (s *Set) follow() {
	defer panics.Log(s.store.opts.Log, "a set of the shared store is not followed any more")
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.look:
		case <-tick.C:
		case <-s.store.life.Done():
			return
		}
		if !s.store.health.isAway() {
			s.read()
		}
	}
}

// read takes in what is in the store, if there is something new.
func (s *Set) read() {
	ctx, cancel := context.WithTimeout(s.store.life, s.store.opts.Timeout)
	defer cancel()
	version, err := s.store.client.Get(ctx, s.slot+versionName).Result()
	if err != nil || version == s.version {
		return
	}
	all, err := readScript.Run(ctx, s.store.client, []string{s.slot + setName}, maxSet).StringSlice()
	if err != nil {
		return
	}
	if s.take(all) && s.changed != nil {
		s.changed()
	}
	s.version = version // only this goroutine asks
}

// take takes in pairs of a thing and a time, and reports whether there is something new.
func (s *Set) take(all []string) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.forgetEnded()
	for i := 0; i+1 < len(all); i += 2 {
		left, err := strconv.ParseFloat(all[i+1], 64)
		if err != nil || left <= 0 || left > float64(maxKnown.Milliseconds()) {
			continue
		}
		if _, ok := s.until[all[i]]; !ok {
			more = true
			s.keep(all[i], now.Add(time.Duration(left)*time.Millisecond))
		}
	}
	return more
}

// maxKnown bounds for how long something is to be known.
const maxKnown = 10 * 365 * 24 * time.Hour
