package auth

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/governor"
)

const (
	// useTopic is what replicas tell each other of what they have used of limits.
	useTopic = "use"
	// tellEvery is how often a replica tells what is new: twice in a turn of package governor.
	tellEvery = 500 * time.Millisecond
	// greetEvery is after how long it tells that it is there, though nothing is new.
	greetEvery = 2 * time.Second
	// forgetAfter is after how long without a word of it nobody counts on a replica any more.
	forgetAfter = 10 * time.Second
	// maxTold is how many buckets are in one message, which must not be long.
	maxTold = 30
	// maxUseAge is how old a message may be: whoever writes the store may bring back old ones.
	maxUseAge = time.Minute
	// rememberPeer is for how long it is remembered which messages of a replica have counted: as long as they could be told again,
	// since a clock may be ahead by as much as a message may be old.
	rememberPeer = 2 * maxUseAge
	// maxPeers bounds how many replicas are remembered, with those that were replaced since.
	maxPeers = 1000
)

// useText is what a replica tells.
type useText struct {
	From   uint64    // it
	Serial uint64    // counts its messages
	At     time.Time // by GitHub's clock
	Used   []bucketText
}

// bucketText is what it has used of one bucket.
type bucketText struct {
	Installation github.InstallationID // 0 for what is asked with the App's JWT
	governor.Use
}

// peers are the other replicas. It is safe for concurrent use.
type peers struct {
	me uint64

	mu     sync.Mutex
	serial uint64 // of the last message of this one
	others map[uint64]*peer
	greet  time.Time // when this one is to tell that it is there
}

// peer is another replica.
type peer struct {
	heard time.Time
	last  uint64 // serial
	seen  uint64 // of the 64 up to last, a bit for each: they may come in another order
}

func newPeers() *peers {
	return &peers{me: rand.Uint64(), others: make(map[uint64]*peer)}
}

// tellUse tells replicas of the App what it has used.
func (c *caller) tellUse(ctx context.Context, p *peers, used []bucketText) {
	text, err := json.Marshal(useText{p.me, p.next(), c.clock.now().Round(0), used})
	if err != nil {
		return
	}
	if says := c.vault.seal(ctx, useTopic, newGeneration(), text); says != nil {
		c.vault.Tell(useTopic, says)
	}
}

// hearUse takes in what another replica tells, and reports whether it is about this App.
func (c *caller) hearUse(p *peers, says []byte) bool {
	_, text, ok := c.vault.open(c.lifetime, useTopic, says)
	if !ok {
		return false
	}
	var said useText
	if json.Unmarshal(text, &said) != nil || c.clock.now().Sub(said.At).Abs() > maxUseAge || !p.hear(said.From, said.Serial) {
		return true
	}
	for _, u := range said.Used {
		c.quotas.bucket(u.Installation).Told(u.Use)
	}
	return true
}

// untold is what was used here since it was called last.
func (q *quotas) untold() (list []bucketText) {
	if use, some := q.own.bucket.Untold(); some {
		list = append(list, bucketText{0, use})
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, quota := range q.all {
		if use, some := quota.bucket.Untold(); some {
			list = append(list, bucketText{id, use})
		}
	}
	return list
}

// bucket is that of an installation, or of the App for 0.
func (q *quotas) bucket(id github.InstallationID) *governor.Bucket {
	if id == 0 {
		return q.own.bucket
	}
	return q.of(id).bucket
}

// next is the serial of this replica's next message.
func (p *peers) next() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serial++
	p.greet = time.Now().Add(greetEvery)
	return p.serial
}

// greets reports whether this replica is to tell that it is there.
func (p *peers) greets() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !time.Now().Before(p.greet)
}

// hear notes a message, and reports whether it is another's, and new.
func (p *peers) hear(from, serial uint64) bool {
	if from == p.me {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.others[from]
	if of == nil {
		if len(p.others) >= maxPeers {
			return false
		}
		of = new(peer)
		p.others[from] = of
	}
	if !of.isNew(serial) {
		return false
	}
	of.heard = time.Now()
	return true
}

// isNew notes a serial, and reports whether it was not seen before.
func (o *peer) isNew(serial uint64) bool {
	if serial > o.last {
		o.seen = o.seen<<min(serial-o.last, 64) | 1
		o.last = serial
		return true
	}
	bit := uint64(1) << min(o.last-serial, 63)
	if o.last-serial > 63 || o.seen&bit != 0 {
		return false
	}
	o.seen |= bit
	return true
}

// count is how many replicas there are, with this one. Those of whom nothing was heard for long do not count; so do
// none where the store is away.
func (p *peers) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 1
	for from, of := range p.others {
		switch silent := time.Since(of.heard); {
		case silent > rememberPeer:
			delete(p.others, from)
		case silent <= forgetAfter:
			n++
		}
	}
	return n
}
