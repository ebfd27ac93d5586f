package shared

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Store is what the replicas share. It is safe for concurrent use.
type Store struct {
	opts   Options
	client redis.UniversalClient
	me     string // tells the replicas apart
	health health
	counts counts
	writes writes
	events events

	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup // what has begun and not ended

	mu     sync.Mutex
	closed bool     // nothing may begin
	backs  []func() // called when the store is back
}

// counts are since the start.
type counts struct {
	claims, values, leases, alone, slow, lost, dropped atomic.Uint64
}

// Stats are how the store was of use.
type Stats struct {
	Away  bool
	Since time.Time // of being away, or not
	Fault error     // why it is away
	Downs int       // how often it was

	Claims  uint64 // questions for what one replica makes for all
	Values  uint64 // that were there
	Leases  uint64 // to make one
	Alone   uint64 // questions that nobody could answer
	Slow    uint64 // answers that came too late
	Lost    uint64 // writes, while the store was away or too many
	Dropped uint64 // values that did not open
}

// Stats are those of now.
func (s *Store) Stats() Stats {
	st := Stats{
		Claims: s.counts.claims.Load(), Values: s.counts.values.Load(), Leases: s.counts.leases.Load(), Alone: s.counts.alone.Load(),
		Slow: s.counts.slow.Load(), Lost: s.counts.lost.Load(), Dropped: s.counts.dropped.Load(),
	}
	s.health.state(&st)
	return st
}

// Open returns the store, which need not be there.
func Open(opts Options) (*Store, error) {
	opts.Prefix = cmp.Or(opts.Prefix, DefaultPrefix)
	opts.Patience, opts.Timeout = cmp.Or(opts.Patience, DefaultPatience), cmp.Or(opts.Timeout, DefaultTimeout)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	client, err := opts.connect()
	if err != nil {
		return nil, err
	}
	s := &Store{opts: opts, client: client, me: rand.Text()}
	s.life, s.end = context.WithCancel(context.Background())
	s.health = health{log: opts.Log, probe: s.probe, back: s.isBack, life: s.life, work: &s.work, gone: make(chan struct{}), since: time.Now()}
	s.writes.start(s)
	s.events.start(s)
	s.work.Go(s.keepContact)
	return s, nil
}

// contactEvery is how often the store is asked for nothing, so that it is known whether it is there when nobody needs it.
const contactEvery = 10 * time.Second

// keepContact sees to it that it is known whether the store is there, from the start.
func (s *Store) keepContact() {
	tick := time.NewTicker(contactEvery)
	defer tick.Stop()
	for {
		if !s.health.isAway() {
			for err, n := s.probe(s.life), 0; err != nil && n < maxMisses; n++ { // it is sure of that
				s.health.note(err)
			}
		}
		select {
		case <-tick.C:
		case <-s.life.Done():
			return
		}
	}
}

// Close writes what is still to be written, for a second at most, and ends all.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.writes.drain(time.Second)
	s.end()
	s.work.Wait()
	return s.client.Close()
}

// begin reports whether work may begin, which then ends with work.Done.
func (s *Store) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.work.Add(1)
	}
	return !s.closed
}

// Ping asks the store for nothing, however long it was away; the error says why it cannot be used.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// probe is whether the store answers, in time and what is asked.
func (s *Store) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	if err := s.Ping(ctx); err != nil { // which may have to connect
		return err
	}
	start := time.Now()
	if err := s.client.Set(ctx, s.opts.Prefix+"probe", s.me, time.Minute).Err(); err != nil {
		return err
	}
	if time.Since(start) > s.opts.Patience {
		return errSlow
	}
	return nil
}

// Back has f called each time that the store is back after it was away.
func (s *Store) Back(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backs = append(s.backs, f)
}

func (s *Store) isBack() {
	s.mu.Lock()
	backs := s.backs
	s.mu.Unlock()
	for _, f := range backs {
		f()
	}
}

// Dropped counts a value that did not open, or meant nothing.
func (s *Store) Dropped() { s.counts.dropped.Add(1) }

// slot is the part that the names of one key have in common: its hash, as a cluster's hash tag
// (valkey.io, "Cluster specification", "Hash tags").
func (s *Store) slot(key string) string {
	sum := sha256.Sum256([]byte(key))
	return s.opts.Prefix + "{" + base64.RawURLEncoding.EncodeToString(sum[:18]) + "}"
}
