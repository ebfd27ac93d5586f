package governor

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Governor keeps the limits of GitHub for all buckets. It is safe for concurrent use.
type Governor struct {
	settings atomic.Pointer[Settings]
	start    time.Time // times are since then
	replicas atomic.Int32
	waited   [limits]atomic.Uint64
	refused  [limits]atomic.Uint64
	waiting  atomic.Int64 // nanoseconds that were waited

	mu   sync.Mutex
	held map[*Bucket]struct{} // for which somebody waits
}

// New returns a Governor.
func New(s Settings) *Governor {
	g := &Governor{start: time.Now(), held: make(map[*Bucket]struct{})}
	g.Set(s)
	return g
}

// Set puts other settings in force, also for who waits. What was used counts on.
func (g *Governor) Set(s Settings) {
	g.settings.Store(&s)
	g.mu.Lock()
	held := slices.Collect(maps.Keys(g.held))
	g.mu.Unlock()
	for _, b := range held {
		b.wake()
	}
}

// Settings are those in force.
func (g *Governor) Settings() Settings { return *g.settings.Load() }

// Known is what GitHub has said of a bucket's primary limits.
type Known interface {
	// Left says how much is left for a class, if anything is known and its limit has not been reset since.
	Left(Class) (Left, bool)
}

// Left is what is left of a primary limit.
type Left struct {
	Resource         string // as X-Ratelimit-Resource has it
	Limit, Remaining int
	Reset            time.Time // by our clock
}

// Request is one that is about to leave.
type Request struct {
	Class  Class
	Client string
	Weight int // of the client, 0 for 1
	Share  int // of a primary limit, in percent, that the client may use up, 0 for all
}

// Answer is what GitHub said to a request that left.
type Answer struct {
	Status    int // 0 for none
	Fields    http.Header
	Secondary bool // its text blames a secondary limit
}
