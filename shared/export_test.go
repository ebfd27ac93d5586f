package shared

// MaxSet is maxSet.
const MaxSet = maxSet

// MaxHeld is maxHeld, and MaxWrites maxWrites.
const (
	MaxHeld   = maxHeld
	MaxWrites = maxWrites
)

// Held is how many bytes of values wait to be written.
func (s *Store) Held() int64 { return s.writes.held.Load() }
