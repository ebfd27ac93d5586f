package cli

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ghapp-proxy/files"
	"ghapp-proxy/panics"

	"github.com/fsnotify/fsnotify"
)

const (
	// watchSettle is how long files must not change to be read.
	watchSettle = 300 * time.Millisecond
	// watchPoll is how often files are looked at where the system tells nothing of
	// them, as of network file systems, or cannot.
	watchPoll = 10 * time.Second
	// watchNet is how often they are looked at besides: a directory may have been put
	// in the place of another.
	watchNet = time.Minute
	// maxWatched is how much of a file is compared.
	maxWatched = 1 << 20
	// maxLinks is how many symbolic links are followed for a path, as Linux does.
	maxLinks = 40
)

// fingerprint tells what files contain, and which of them there are.
type fingerprint [sha256.Size]byte

// fingerprintOf reads files. Of what is no file, such as a pipe, it knows only that.
func fingerprintOf(paths []string) fingerprint {
	all := sha256.New()
	for _, path := range paths {
		fmt.Fprintf(all, "%q ", path)
		info, err := os.Stat(path) // a pipe is not to be read
		switch {
		case err != nil:
			fmt.Fprintln(all, "missing")
		case !info.Mode().IsRegular():
			fmt.Fprintln(all, info.Mode().Type())
		default:
			text, _, err := files.Read(path, maxWatched)
			fmt.Fprintf(all, "%x %v\n", sha256.Sum256(text), err)
		}
	}
	return fingerprint(all.Sum(nil))
}

// printIf is the fingerprint of all files if those that were read are still as they were. They are looked at
// last: what changes meanwhile would be taken for read, and never be noticed.
func printIf(asRead fingerprint, read, all func() []string) (print fingerprint, ok bool) {
	print = fingerprintOf(all())
	return print, fingerprintOf(read()) == asRead
}

// watcher tells when files have changed, and stay as they are.
type watcher struct {
	files  func() []string        // that are watched at the moment
	known  func(fingerprint) bool // whether they are as somebody has read them
	log    *slog.Logger
	settle time.Duration
	poll   time.Duration
	net    time.Duration

	again <-chan struct{} // receives when files may be others

	notify *fsnotify.Watcher // nil where files are looked at instead
	names  map[string]bool   // paths that events are of interest for
}

// watch sends to changed each time that files have changed, until ctx ends.
func (w *watcher) watch(ctx context.Context, changed chan<- struct{}) {
	defer panics.Log(w.log, "files are not watched any more")
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		w.fallBack(err)
	} else {
		defer w.notify.Close()
	}
	w.look(ctx, changed)
}

// look looks at files each time that there may be something new, until ctx ends.
func (w *watcher) look(ctx context.Context, changed chan<- struct{}) {
	for {
		w.follow()
		if !w.known(fingerprintOf(w.files())) && w.settled(ctx) {
			select {
			case changed <- struct{}{}:
			case <-ctx.Done():
			}
		}
		if !w.wait(ctx) {
			return
		}
	}
}

// fallBack looks at files instead.
func (w *watcher) fallBack(err error) {
	w.log.Warn("the system does not tell when files change: they are looked at instead", "every", w.poll, "error", err,
		"remedy", "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches")
	if w.notify != nil {
		w.notify.Close()
	}
	w.notify = nil
}

// settled waits until the files stay as they are, and reports whether they differ from
// what is known then.
func (w *watcher) settled(ctx context.Context) bool {
	for last := fingerprintOf(w.files()); ; {
		select {
		case <-time.After(w.settle):
		case <-ctx.Done():
			return false
		}
		now := fingerprintOf(w.files())
		if now == last {
			return !w.known(now)
		}
		last = now
	}
}

// wait waits until there may be something to look at. It reports false when ctx has
// ended.
func (w *watcher) wait(ctx context.Context) bool {
	every, events, failures := w.poll, (<-chan fsnotify.Event)(nil), (<-chan error)(nil)
	if w.notify != nil {
		every, events, failures = w.net, w.notify.Events, w.notify.Errors
	}
	again := time.NewTimer(every)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-again.C:
			return true
		case <-w.again:
			return true
		case e := <-events:
			if w.names[e.Name] {
				return true
			}
		case <-failures: // events were lost
			return true
		}
	}
}

// follow watches the directories through which the files are reached. Not the files:
// an editor, and Kubernetes, put others in their place. Directories that lead to none
// of them any more are watched no longer.
func (w *watcher) follow() {
	if w.notify == nil {
		return
	}
	w.names = make(map[string]bool)
	dirs := make(map[string]bool)
	for _, path := range w.files() {
		for _, name := range stepsTo(path) {
			w.names[name], dirs[filepath.Dir(name)] = true, true
		}
	}
	for _, dir := range w.notify.WatchList() {
		if !dirs[dir] {
			_ = w.notify.Remove(dir) // it may be gone
		}
	}
	for dir := range dirs {
		err := w.notify.Add(dir)
		if err == nil || os.IsPermission(err) {
			continue
		}
		if _, missing := os.Stat(dir); missing == nil {
			w.fallBack(err)
			return
		}
	}
}

// stepsTo are the paths at which something may be changed so that a path leads to
// another file: each symbolic link on the way, and the file at the end.
func stepsTo(path string) (steps []string) {
	links := 0
	at, rest := filepath.VolumeName(path)+string(filepath.Separator), path[len(filepath.VolumeName(path)):]
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(strings.TrimLeft(rest, string(filepath.Separator)), string(filepath.Separator))
		next := filepath.Join(at, name)
		target, err := os.Readlink(next)
		switch {
		case err != nil:
			at = next
		case links >= maxLinks:
			return steps
		default:
			links++
			steps = append(steps, next)
			if rest = filepath.Join(target, rest); filepath.IsAbs(target) {
				at = filepath.VolumeName(target) + string(filepath.Separator)
			}
		}
	}
	return append(steps, at)
}
