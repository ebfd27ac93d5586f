package oidc

import "time"

// Later has the issuers' keys be so much older.
func Later(all *Issuers, by time.Duration) {
	for _, i := range all.all {
		i.keys.mu.Lock()
		before := i.keys.now
		i.keys.now = func() time.Time { return before().Add(by) }
		i.keys.mu.Unlock()
	}
}
