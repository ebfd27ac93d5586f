package shared

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// leaseTime is for how long a lease lasts whose holder has died. Others wait so long.
	leaseTime = 3 * time.Second
	// renewLease is how often who has one says that it lives.
	renewLease = leaseTime / 4
	// maxWait is for how long others are waited for: a store may say for ever that somebody has a lease.
	maxWait = 15 * time.Second
	// firstPoll is how soon it is asked again what became of another's lease, which doubles
	firstPoll = 50 * time.Millisecond
	// up to maxPoll. Most are told before by a message.
	maxPoll = time.Second
)

// The names of what is filed under one key.
const (
	valueName    = ":v"
	leaseName    = ":l"
	replacedName = ":r"
)

var (
	// claimScript returns the value unless it is of generation ARGV[1], else takes the lease ARGV[2] for ARGV[3]
	// milliseconds, and returns whether it got it.
	claimScript = redis.NewScript(`
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 8) ~= ARGV[1] then return v end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return 1 end
return 0`)
	// fileScript ends the lease ARGV[1] and files the value ARGV[2] for ARGV[3] milliseconds, and says so in the
	// channel ARGV[4]. Where the lease has ended before, it files it only if there is nothing.
	fileScript = redis.NewScript(`
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2])
elseif redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1`)
	// renewScript prolongs the lease ARGV[1] by ARGV[2] milliseconds.
	renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`)
	// replaceScript removes the value if it is of generation ARGV[1], which happens once in ARGV[2] milliseconds. It
	// returns 2 where that was done already.
	replaceScript = redis.NewScript(`
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 8) ~= ARGV[1] or redis.call('GET', KEYS[2]) == ARGV[1] then return 2 end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
return 1`)
	// deleteScript removes the value if it is of generation ARGV[1].
	deleteScript = redis.NewScript(`
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 8) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)
)

// generationOf is how a generation begins a value.
func generationOf(generation uint64) string {
	return string(binary.BigEndian.AppendUint64(nil, generation))
}

// Claim returns what is filed under a key, unless it is of the generation that it should
// not be: 0 is that of nothing. If there is nothing, done is not nil for the one replica
// that shall make it: done must be called with that, and how long it is good for, or with nil
// where it could not be made. The others wait meanwhile. Where both are nil nobody
// can tell: the caller goes on alone.
func (s *Store) Claim(ctx context.Context, key string, besides uint64) (value []byte, done func(value []byte, ttl time.Duration)) {
	s.counts.claims.Add(1)
	slot := s.slot(key)
	waiter := s.events.wait(slot)
	defer s.events.leave(slot, waiter)
	until := time.Now().Add(maxWait)
	for pause := firstPoll; ; pause = min(2*pause, maxPoll) {
		reply, err := s.claim(ctx, slot, besides)
		switch {
		case err != nil:
			s.counts.alone.Add(1)
			return nil, nil
		case reply.value != nil:
			s.counts.values.Add(1)
			return reply.value, nil
		case reply.lease != nil:
			s.counts.leases.Add(1)
			return nil, reply.lease.done
		}
		if time.Now().After(until) || !s.pause(ctx, waiter, pause) {
			s.counts.alone.Add(1)
			return nil, nil
		}
	}
}

// pause waits until another one may have made what is waited for. It reports false where nobody
// can tell any more.
func (s *Store) pause(ctx context.Context, waiter *waiter, most time.Duration) bool {
	timer := time.NewTimer(most/2 + rand.N(most/2))
	defer timer.Stop()
	select {
	case <-waiter.again:
	case <-timer.C:
	case <-s.health.downNow():
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// claimed is what claim comes to: a value, a lease, or neither.
type claimed struct {
	value []byte
	lease *lease
}

// claim asks once.
func (s *Store) claim(ctx context.Context, slot string, besides uint64) (claimed, error) {
	l := &lease{store: s, slot: slot, id: s.me + generationOf(rand.Uint64())}
	got, err := within(ctx, s, func(ctx context.Context) (any, error) {
		return claimScript.Run(ctx, s.client, []string{slot + valueName, slot + leaseName}, generationOf(besides), l.id, leaseTime.Milliseconds()).Result()
	}, func(late any) {
		if late == int64(1) {
			l.done(nil, 0)
		}
	})
	if err != nil {
		return claimed{}, err
	}
	switch got := got.(type) {
	case string:
		return claimed{value: []byte(got)}, nil
	case int64:
		if got == 1 {
			l.keep()
			return claimed{lease: l}, nil
		}
	}
	return claimed{}, nil
}

// lease is the right to make what is filed under a key.
type lease struct {
	store    *Store
	slot, id string

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

// keep prolongs the lease from time to time.
func (l *lease) keep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.timer = time.AfterFunc(renewLease, func() {
		l.store.writeNow(func(ctx context.Context) error {
			return renewScript.Run(ctx, l.store.client, []string{l.slot + leaseName}, l.id, leaseTime.Milliseconds()).Err()
		})
		if l.store.life.Err() == nil {
			l.keep()
		}
	})
}

// done ends the lease, and files a value if there is one.
func (l *lease) done(value []byte, ttl time.Duration) {
	l.mu.Lock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	if ttl < time.Millisecond {
		value = nil
	}
	l.store.writeNow(func(ctx context.Context) error {
		return fileScript.Run(ctx, l.store.client, []string{l.slot + valueName, l.slot + leaseName},
			l.id, value, ttl.Milliseconds(), l.store.channel(), wakeMessage+l.slot).Err()
	})
}

// Get returns what is filed under a key, nil if that is nothing or nobody can tell.
func (s *Store) Get(ctx context.Context, key string) []byte {
	value, err := within(ctx, s, func(ctx context.Context) ([]byte, error) {
		return s.client.Get(ctx, s.slot(key)+valueName).Bytes()
	}, nil)
	if err != nil {
		return nil
	}
	return value
}

// Put files a value for a time, when it comes to that, in place of any other.
func (s *Store) Put(key string, value []byte, ttl time.Duration) { s.put(key, value, ttl, "") }

// Offer is Put where there is nothing.
func (s *Store) Offer(key string, value []byte, ttl time.Duration) { s.put(key, value, ttl, "NX") }

func (s *Store) put(key string, value []byte, ttl time.Duration, mode string) {
	if ttl < time.Millisecond {
		return
	}
	if !s.writes.hold(value) {
		s.counts.lost.Add(1)
		return
	}
	slot := s.slot(key)
	s.queue(slot, write{over: func() { s.writes.release(value) }, do: func(ctx context.Context) error {
		return s.client.SetArgs(ctx, slot+valueName, value, redis.SetArgs{TTL: ttl, Mode: mode}).Err()
	}})
}

// Delete removes a value if it is of a generation.
func (s *Store) Delete(key string, generation uint64) {
	slot := s.slot(key)
	s.write(slot, func(ctx context.Context) error {
		return deleteScript.Run(ctx, s.client, []string{slot + valueName}, generationOf(generation)).Err()
	})
}

// Replace removes a value if it is of a generation, once in a time for all replicas. It reports
// whether it may be replaced: by the caller, or by somebody who has done so. Where nobody can tell, ok is false.
func (s *Store) Replace(ctx context.Context, key string, generation uint64, once time.Duration) (may, ok bool) {
	slot := s.slot(key)
	got, err := within(ctx, s, func(ctx context.Context) (int64, error) {
		return replaceScript.Run(ctx, s.client, []string{slot + valueName, slot + replacedName}, generationOf(generation), once.Milliseconds()).Int64()
	}, nil)
	return got != 0, err == nil
}
