package cli

import (
	"fmt"
	"io"
	"slices"
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
	d.say(denialLine(e))
}

// say keeps a line. The command chose some of it, and a terminal obeys what is not printed.
func (d *denials) say(line string) {
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, line)
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

// leads is a Resolver's Leads that collects the names it does not lead to: a tool that is told that there is no such
// host never gets as far as an event. Names that are looked for on the machine's own network are left out.
func (d *denials) leads(leads func(string) bool) func(string) bool {
	return func(name string) bool {
		if leads(name) {
			return true
		}
		_, top, ok := cutLast(name, ".")
		if ok && !slices.Contains([]string{"arpa", "local", "internal", "localhost", "lan", "home"}, top) {
			d.say("refused: the name " + event.Clip(name) + " (egress): --allow " + event.Clip(name) + " allows it")
		}
		return false
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// denialLine says what was refused, and which flag would allow it.
func denialLine(e *event.Event) string {
	what := e.Method + " " + e.Host + e.Path
	return fmt.Sprintf("refused: %s (%s): %s", event.Clip(what), e.DecidedBy, flagFor(e))
}

// flagFor is the flag that allows what was refused.
func flagFor(e *event.Event) string {
	own, isOwn := strings.CutPrefix(e.DecidedBy, "client."+sandboxClientName+".")
	own, _, _ = strings.Cut(own, "[")
	switch {
	case strings.HasPrefix(e.DecidedBy, "egress.") && !strings.HasPrefix(e.DecidedBy, "egress.deny"):
		allow := "--allow " + event.Clip(e.Host)
		if e.Destination != "" { // the name may pass, and leads to an address that must be named as well
			return allow + " and --allow " + event.Clip(e.Destination) + " allow it"
		}
		return allow + " allows it"
	case isOwn && own == "repositories" && e.Subject != "" && e.OtherOwners == 0:
		return "--repo " + event.Clip(e.Subject) + " allows it"
	case isOwn && own == "repositories":
		return "--repo OWNER/NAME allows what is about one repository"
	case isOwn && own == "push":
		return "--push BRANCH allows it, or --client NAME where nobody can tell what it moves"
	case isOwn:
		return "a [client.NAME] of the configuration that may do it, and --client NAME, allow it"
	case strings.HasPrefix(e.DecidedBy, "grant."):
		return "the grant decides it"
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
