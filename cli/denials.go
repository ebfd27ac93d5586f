package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"ghapp-proxy/event"
)

// maxDenials is how many lines about refusals there are at the end of a sandbox.
const maxDenials = 10

// denials collects what was refused to a command, to say it to the person who can
// allow it. It may be used by many goroutines.
type denials struct {
	mu    sync.Mutex
	known map[string]bool
	lines []string
	more  bool
}

// add is one of proxy.Options.Events.
func (d *denials) add(e *event.Event) {
	if e.Decision != event.Refused || e.DecidedBy == "" {
		return
	}
	line := denialLine(e)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.known[line]:
	case len(d.lines) == maxDenials:
		d.more = true
	default:
		if d.known == nil {
			d.known = make(map[string]bool)
		}
		d.known[line] = true
		d.lines = append(d.lines, line)
	}
}

// denialLine says what was refused, and which flag would allow it.
func denialLine(e *event.Event) string {
	what := e.Method + " " + e.Host + e.Path
	line := fmt.Sprintf("refused: %s (%s): %s", event.Clip(what), e.DecidedBy, flagFor(e))
	return strings.Map(func(r rune) rune { // the command chose some of it, and a terminal obeys what is not printed
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, line)
}

// flagFor is the flag that allows what was refused.
func flagFor(e *event.Event) string {
	own, isOwn := strings.CutPrefix(e.DecidedBy, "client."+sandboxClientName+".")
	own, _, _ = strings.Cut(own, "[")
	switch {
	case strings.HasPrefix(e.DecidedBy, "egress.") && !strings.HasPrefix(e.DecidedBy, "egress.deny"):
		return "--allow " + event.Clip(e.Host) + " allows it"
	case isOwn && own == "repositories" && e.Subject != "" && e.OtherOwners == 0:
		return "--repo " + event.Clip(e.Subject) + " allows it"
	case isOwn && own == "repositories":
		return "--repo OWNER/NAME allows what is about one repository"
	case isOwn && own == "push":
		return "--push BRANCH allows it"
	case isOwn:
		return "a [client.NAME] of the configuration that may do it, and --client NAME, allow it"
	}
	return "the configuration decides it"
}

// report writes a line for each.
func (d *denials) report(w io.Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.lines {
		fmt.Fprintln(w, "ghapp-proxy:", line)
	}
	if d.more {
		fmt.Fprintln(w, "ghapp-proxy: and more refusals: run -v names them all")
	}
}
