package admin

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// outOfContact is for how long GitHub may not have answered before the proxy is not
// ready: one lost connection does not take it out of service.
const outOfContact = 2 * time.Minute

// check is one of the things that make the proxy ready.
type check struct {
	name   string
	failed string // why it is not, "" if it is
	warns  string // what somebody should look at, though it is
	says   string // what there is to say otherwise
}

// checks are what makes the proxy ready. A configuration that could not be read
// again does not make it unready: the one before is in force, and every replica that
// reads the same file would end its service with it.
func (s *Server) checks(now time.Time) []check {
	state := s.opts.State()
	list := []check{{name: "configuration", says: "in force"}, credentials(state.Apps)}
	switch reload := state.Reload; {
	case reload.Problem != "":
		list[0].warns = "the one before is in force: " + reload.Problem
	case len(reload.Restart) > 0:
		list[0].warns = "a restart is needed for " + strings.Join(reload.Restart, ", ")
	}
	for _, instance := range state.GitHubs {
		list = append(list, contact(instance, now))
	}
	if state.Shared != nil {
		list = append(list, state.Shared.check(now))
	}
	if state.Draining {
		list = append(list, check{name: "shutdown", failed: "the proxy is ending"})
	}
	return list
}

// credentials is whether there is one at least.
func credentials(apps []App) check {
	c := check{name: "credentials"}
	var usable, problems []string
	for _, app := range apps {
		switch {
		case app.Problem != "":
			problem := app.Name + ": " + app.Problem
			if app.Remedy != "" {
				problem += " (" + app.Remedy + ")"
			}
			problems = append(problems, problem)
		case app.Checked.IsZero():
			problems = append(problems, app.Name+": GitHub has not been asked yet")
		default:
			usable = append(usable, app.Name)
		}
	}
	switch {
	case len(usable) == 0:
		c.failed = "no App has any; " + strings.Join(problems, "; ")
	case len(problems) > 0:
		c.warns = strings.Join(problems, "; ")
	default:
		c.says = "of " + strings.Join(usable, ", ")
	}
	return c
}

// contact is whether GitHub answers.
func contact(instance GitHub, now time.Time) check {
	c := check{name: instance.Host}
	ago := now.Sub(instance.Reached).Round(time.Second)
	failing := instance.Missed.After(instance.Reached)
	switch {
	case instance.Reached.IsZero() && failing:
		c.failed = "never answered: " + instance.Problem
	case instance.Reached.IsZero():
		c.failed = "has not been asked yet"
	case failing && ago >= outOfContact:
		c.failed = fmt.Sprintf("last answered %v ago: %s", ago, instance.Problem)
	case failing:
		c.warns = fmt.Sprintf("last answered %v ago: %s", ago, instance.Problem)
	default:
		c.says = fmt.Sprintf("answered %v ago", ago)
	}
	return c
}

// check is how the store is that replicas share. One that is away does not make the proxy unready: it
// goes on by itself, and so do the others.
func (s *Shared) check(now time.Time) check {
	c, ago := check{name: "shared"}, now.Sub(s.Since).Round(time.Second)
	if s.Away {
		c.warns = fmt.Sprintf("the store is away for %v, and this replica goes on by itself: %s", ago, s.Problem)
	} else {
		c.says = fmt.Sprintf("there for %v", ago)
	}
	return c
}

// serveHealth answers as long as there is somebody to answer.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}

// serveReady says whether the proxy can serve, and why not: a line for each check,
// as Kubernetes' own /readyz?verbose. With ?strict, a warning counts.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	strict := r.URL.Query().Has("strict")
	checks := s.checks(time.Now())
	unready := slices.ContainsFunc(checks, func(c check) bool { return c.failed != "" || strict && c.warns != "" })
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if unready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, c := range checks {
		fmt.Fprintln(w, c)
	}
}

// String implements fmt.Stringer: a line.
func (c check) String() string {
	mark, text := "[+]", c.says
	switch {
	case c.failed != "":
		mark, text = "[-]", c.failed
	case c.warns != "":
		mark, text = "[!]", c.warns
	}
	return mark + c.name + ": " + strings.Join(strings.Fields(text), " ")
}
