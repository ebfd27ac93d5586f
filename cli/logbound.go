package cli

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/event"
	"ghapp-proxy/spool"
)

const (
	// maxAlike is how many lines that are alike are written in a minute.
	maxAlike = 60
	// maxKinds is of how many clients such lines are counted apart; the rest counts as
	// one, so that who has many addresses fills no disk either.
	maxKinds = 1000
	// maxLeftOut is of how many of them it is said that lines were left out.
	maxLeftOut = 20
)

// bounded writes of the lines that a client can provoke as often as it likes, which are
// warnings and refusals, so many a minute, and says how many were left out. Those are
// alike that have the same message, client, App and deciding key; what a client chooses
// does not count. The audit log has all of them.
//
// The lines of requests and tunnels, of which there may be many, are written together;
// any other is there when Handle returns.
type bounded struct {
	slog.Handler
	*kinds
}

// kinds are the lines of the last minute.
type kinds struct {
	out     slog.Handler  // for what says what was left out
	written *spool.Writer // where out writes

	leftOut atomic.Int64 // since the start

	mu     sync.Mutex
	counts map[kind]int
}

// kind is what lines have in common that are alike.
type kind struct {
	message, client, app, decidedBy string
}

func newBounded(h slog.Handler, written *spool.Writer) *bounded {
	return &bounded{h, &kinds{out: h, written: written}}
}

// Handle implements slog.Handler.
func (b *bounded) Handle(ctx context.Context, r slog.Record) error {
	if (r.Level >= slog.LevelWarn || r.Message == refusedMessage) && !b.take(kindOf(&r)) {
		return nil
	}
	err := b.Handler.Handle(ctx, r)
	if r.Level > slog.LevelInfo || !event.IsMessage(r.Message) {
		b.flush()
	}
	return err
}

// flush waits for what was logged to be written, but not for who does not read it.
func (k *kinds) flush() {
	if !k.written.IsStuck() {
		k.written.Flush(patience)
	}
}

// patience is how long a line of the log is waited for.
const patience = 100 * time.Millisecond

// WithAttrs implements slog.Handler.
func (b *bounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &bounded{b.Handler.WithAttrs(attrs), b.kinds}
}

// WithGroup implements slog.Handler.
func (b *bounded) WithGroup(name string) slog.Handler {
	return &bounded{b.Handler.WithGroup(name), b.kinds}
}

// refusedMessage is that of an event.Event that was refused, at whatever level.
const refusedMessage = "refused"

func kindOf(r *slog.Record) kind {
	k := kind{message: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "client":
			k.client = withoutPort(a.Value.String())
		case "app":
			k.app = a.Value.String()
		case "decided_by":
			k.decidedBy = a.Value.String()
		}
		return true
	})
	return k
}

// withoutPort is a client by name, or the network of its address: who has one address
// of IPv6 has mostly a /64 of them (RFC 6177).
func withoutPort(client string) string {
	at, err := netip.ParseAddrPort(client)
	if err != nil {
		return client
	}
	addr := at.Addr().Unmap()
	if addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().String()
}

// take counts a line, and reports whether it may be written.
func (k *kinds) take(of kind) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.counts == nil {
		k.counts = make(map[kind]int)
		time.AfterFunc(time.Minute, k.tell)
	}
	if _, known := k.counts[of]; !known && len(k.counts) >= maxKinds {
		of = kind{message: "of other clients"}
	}
	k.counts[of]++
	if k.counts[of] > maxAlike {
		k.leftOut.Add(1)
		return false
	}
	return true
}

// linesLeftOut is how many lines were left out of a log since the start.
func linesLeftOut(log *slog.Logger) int64 {
	if b, ok := log.Handler().(*bounded); ok {
		return b.leftOut.Load()
	}
	return 0
}

// tell says what was left out in the minute that ends, and begins another.
func (k *kinds) tell() {
	k.mu.Lock()
	counts := k.counts
	k.counts = nil
	k.mu.Unlock()
	var most []kind
	for of, n := range counts {
		if n > maxAlike {
			most = append(most, of)
		}
	}
	slices.SortFunc(most, func(a, b kind) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a.client+a.message, b.client+b.message)
	})
	others := 0
	for _, of := range most[min(maxLeftOut, len(most)):] {
		others += counts[of] - maxAlike
	}
	for _, of := range most[:min(maxLeftOut, len(most))] {
		k.say(slog.Int("count", counts[of]-maxAlike), slog.String("what", of.message), slog.String("client", of.client), slog.String("app", of.app), slog.String("decided_by", of.decidedBy))
	}
	if others > 0 {
		k.say(slog.Int("count", others), slog.String("what", "others"))
	}
}

func (k *kinds) say(attrs ...slog.Attr) {
	ctx := context.Background()
	if !k.out.Enabled(ctx, slog.LevelWarn) {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "lines of the log were left out: there were too many alike", 0)
	r.AddAttrs(slices.DeleteFunc(attrs, func(a slog.Attr) bool { return a.Value.Kind() == slog.KindString && a.Value.String() == "" })...)
	_ = k.out.Handle(ctx, r) // as slog.Logger does
	k.flush()
}
