package transparent

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// Ranges are networks whose addresses stand for names. One that is not valid is not
// used.
type Ranges struct{ IPv4, IPv6 netip.Prefix }

// DefaultRanges lead nowhere else: IPv4's is for benchmarks of networks (RFC 2544), that
// of IPv6 is a unique local one (RFC 4193).
var DefaultRanges = Ranges{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("fd67:6861:7070::/64")}

// String is for the log.
func (r Ranges) String() string {
	switch {
	case !r.IPv6.IsValid():
		return r.IPv4.String()
	case !r.IPv4.IsValid():
		return r.IPv6.String()
	}
	return r.IPv4.String() + ", " + r.IPv6.String()
}

const (
	// maxNames bounds how many names have an address at once.
	maxNames = 1 << 16
	// TTL is for how long a client may keep an answer.
	TTL = time.Minute
	// hold is for how long an address stays that of a name that nobody asks for: some
	// keep answers for longer than they may.
	hold = 10 * time.Minute

	// An asker that asks for more new names than that at once, and a minute from then on,
	// gets no more for now: one of them alone must not take all addresses. Of few addresses it
	// gets a quarter at once, and a 32nd a minute: somewhat more than half within hold.
	askerBurst, askerBurstPart   = 4096, 4
	askerMinute, askerMinutePart = 2048, 32
	maxAskers                    = 4096
)

// Why a name gets no address.
var (
	errFull  = errors.New("all addresses are in use")
	errAsker = errors.New("too many new names")
)

// Names are the names that addresses stand for. It is safe for concurrent use.
type Names struct {
	ranges Ranges
	size   uint32 // how many names can have an address

	mu      sync.Mutex
	byName  *lru.LRU[string, *assigned]
	byIndex map[uint32]*assigned
	askers  *lru.LRU[netip.Prefix, *rate.Limiter]
}

// assigned is a name with addresses: those of its index in each range.
type assigned struct {
	name  string
	index uint32
	until time.Time // not another's before
}

// NewNames returns Names of ranges; where there is none, there are no names.
func NewNames(ranges Ranges) *Names { return newNames(ranges, maxNames) }

func newNames(ranges Ranges, most uint32) *Names {
	n := &Names{ranges: ranges, size: min(most, room(ranges.IPv4), room(ranges.IPv6)), byIndex: make(map[uint32]*assigned)}
	if ranges == (Ranges{}) {
		n.size = 0
	}
	n.byName, _ = lru.NewLRU[string, *assigned](maxNames, nil) // it fails for no size
	n.askers, _ = lru.NewLRU[netip.Prefix, *rate.Limiter](maxAskers, nil)
	return n
}

// room is how many names a network has addresses for: without the first two, of which
// one is the network's and one the machine's, and without the last.
func room(p netip.Prefix) uint32 {
	bits := p.Addr().BitLen() - p.Bits()
	switch {
	case !p.IsValid() || bits > 24:
		return maxNames
	case bits < 2:
		return 0
	}
	return 1<<bits - 3
}

// Ranges are those whose addresses stand for names.
func (n *Names) Ranges() Ranges { return n.ranges }

// Contains reports whether an address is one of those that stand for names.
func (n *Names) Contains(addr netip.Addr) bool {
	addr = addr.Unmap()
	return n.ranges.IPv4.IsValid() && n.ranges.IPv4.Contains(addr) || n.ranges.IPv6.IsValid() && n.ranges.IPv6.Contains(addr)
}

// Assign gives a name, in lower case and without a dot at its end, its addresses: the
// same as before, as long as it has some. One of a range that there is not is not valid.
func (n *Names) Assign(name string, asker netip.Addr) (v4, v6 netip.Addr, err error) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.byName.Get(name)
	if !ok {
		index, err := n.free(now, asker)
		if err != nil {
			return netip.Addr{}, netip.Addr{}, err
		}
		a = &assigned{name: name, index: index}
		n.byName.Add(name, a)
		n.byIndex[index] = a
	}
	a.until = now.Add(hold)
	return at(n.ranges.IPv4, a.index), at(n.ranges.IPv6, a.index), nil
}

// free is an index that is no name's: a new one, or that of the name that nobody has
// asked for, or used, for longest.
func (n *Names) free(now time.Time, asker netip.Addr) (uint32, error) {
	used := uint32(n.byName.Len())
	_, oldest, some := n.byName.GetOldest()
	if used >= n.size && (!some || oldest.until.After(now)) {
		return 0, errFull
	}
	if !n.pace(asker).AllowN(now, 1) {
		return 0, errAsker
	}
	if used < n.size {
		return used, nil
	}
	n.byName.RemoveOldest()
	return oldest.index, nil
}

// pace is how many new names an asker gets.
func (n *Names) pace(asker netip.Addr) *rate.Limiter {
	network := NetworkOf(asker)
	pace, ok := n.askers.Get(network)
	if !ok {
		minute := min(askerMinute, float64(n.size)/askerMinutePart)
		pace = rate.NewLimiter(rate.Limit(minute/time.Minute.Seconds()), int(min(askerBurst, max(1, n.size/askerBurstPart))))
		n.askers.Add(network, pace)
	}
	return pace
}

// NetworkOf is an address, or its network where one has as many addresses as it likes: 127.0.0.0/8 of this machine, and
// a /64 of IPv6; the zero value for none.
func NetworkOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	switch {
	case addr.Is6():
		bits = 64
	case addr.IsLoopback():
		bits = 8
	}
	network, _ := addr.Prefix(bits)
	return network
}

// Of is the name that an address stands for.
func (n *Names) Of(addr netip.Addr) (name string, ok bool) {
	index, ok := n.index(addr.Unmap())
	if !ok {
		return "", false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.byIndex[index]
	if !ok {
		return "", false
	}
	n.byName.Get(a.name) // it is used
	a.until = time.Now().Add(hold)
	return a.name, true
}

// at is the address of an index in a network.
func at(p netip.Prefix, index uint32) netip.Addr {
	if !p.IsValid() {
		return netip.Addr{}
	}
	text := p.Masked().Addr().AsSlice()
	low := text[len(text)-4:]
	binary.BigEndian.PutUint32(low, binary.BigEndian.Uint32(low)+index+2)
	addr, _ := netip.AddrFromSlice(text)
	return addr
}

// index is that of an address in its network.
func (n *Names) index(addr netip.Addr) (uint32, bool) {
	for _, p := range [...]netip.Prefix{n.ranges.IPv4, n.ranges.IPv6} {
		if !p.IsValid() || !p.Contains(addr) {
			continue
		}
		text, first := addr.AsSlice(), p.Masked().Addr().AsSlice()
		i := len(text) - 4
		if index := binary.BigEndian.Uint32(text[i:]) - binary.BigEndian.Uint32(first[i:]) - 2; at(p, index) == addr {
			return index, true // else it is beyond all that are given
		}
	}
	return 0, false
}
