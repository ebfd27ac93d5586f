package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/proxy"
)

const (
	maxUncovered  = 10              // lines at the end of a run
	uncoveredTime = 3 * time.Second // to ask where an App is installed
)

// uncovered collects what requests of a run suffered from that no App is
// installed. It may be used by many goroutines.
type uncovered struct {
	mu    sync.Mutex
	known map[string]bool
	list  []proxy.Uncovered
	more  bool
}

// add implements proxy.Options.Uncovered.
func (u *uncovered) add(one proxy.Uncovered) {
	key := one.Why.Host + " " + strings.ToLower(one.Why.Owner.String())
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.known[key]:
	case len(u.list) == maxUncovered:
		u.more = true
	default:
		if u.known == nil {
			u.known = make(map[string]bool)
		}
		u.known[key] = true
		u.list = append(u.list, one)
	}
}

// report writes a line for each owner, to the person at the tool.
func (u *uncovered) report(ctx context.Context, w io.Writer, source *auth.Source) {
	u.mu.Lock()
	defer u.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, uncoveredTime)
	defer cancel()
	said := make(map[string]bool) // of two repositories of an owner it is the same
	for _, one := range u.list {
		text := source.Short(ctx, one.Why)
		if said[text] {
			continue
		}
		said[text] = true
		what := fmt.Sprintf("GitHub answered %d", one.Status)
		if one.Status < 400 {
			what = "an answer of GitHub's was not complete"
		}
		fmt.Fprintf(w, "ghapp-proxy: %s: %s\n", what, text)
	}
	if u.more {
		fmt.Fprintln(w, "ghapp-proxy: and more owners: run -v names them all")
	}
}
