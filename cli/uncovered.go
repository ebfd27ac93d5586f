package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/event"
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
	list  []suffered
	more  bool
}

// suffered is a request that left with what the fallback has, and an answer that
// may be the worse for it.
type suffered struct {
	why    *auth.NotInstalledError
	status int // GitHub's; below 400 where half of an answer is missing
}

// add is one of proxy.Options.Events.
func (u *uncovered) add(e *event.Event) {
	why, ok := errors.AsType[*auth.NotInstalledError](e.Uncovered)
	if !ok {
		return
	}
	key := string(why.Instance) + " " + strings.ToLower(why.Owner.String())
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
		u.list = append(u.list, suffered{why, e.GitHubStatus})
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
		text := source.Short(ctx, one.why)
		if said[text] {
			continue
		}
		said[text] = true
		what := fmt.Sprintf("GitHub answered %d", one.status)
		if one.status < 400 {
			what = "an answer of GitHub's was not complete"
		}
		fmt.Fprintf(w, "ghapp-proxy: %s: %s\n", what, text)
	}
	if u.more {
		fmt.Fprintln(w, "ghapp-proxy: and more owners: run -v names them all")
	}
}
