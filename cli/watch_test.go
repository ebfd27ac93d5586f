package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcherOf watches files. What is known of them is what they are at first.
func watcherOf(t *testing.T, files func() []string) *watcher {
	t.Helper()
	first := fingerprintOf(files())
	return &watcher{
		files: files, known: func(now fingerprint) bool { return now == first },
		log: slog.New(slog.DiscardHandler), settle: time.Millisecond, poll: time.Hour, net: time.Hour,
	}
}

// What changes while files are looked at for the first time is not taken for read.
func TestPrintIf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	writeFile(t, path, []byte("one"))
	files := func() []string { return []string{path} }
	asRead := fingerprintOf(files())
	if print, ok := printIf(asRead, files, files); !ok || print != asRead {
		t.Errorf("of files that stay: %v", ok)
	}
	looks := 0
	files = func() []string {
		if looks++; looks == 2 {
			writeFile(t, path, []byte("two"))
		}
		return []string{path}
	}
	if print, ok := printIf(asRead, files, files); ok && print != asRead {
		t.Error("a change in between is taken for read")
	}
}

// Where the system tells nothing, files are looked at.
func TestWatchPolls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	writeFile(t, path, []byte("one"))
	w := watcherOf(t, func() []string { return []string{path} })
	w.poll = time.Millisecond
	w.fallBack(errors.New("there are too many"))
	ctx, end := context.WithCancel(t.Context())
	changed, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		w.look(ctx, changed)
	}()
	select {
	case <-changed:
		t.Error("there is a change before there is one")
	case <-time.After(50 * time.Millisecond):
	}
	writeFile(t, path, []byte("two"))
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Error("a change is not noticed")
	}
	end()
	<-ended
}

// Directories are watched for as long as a file is reached through them, and one that
// is none says nothing of the others.
func TestWatchFollows(t *testing.T) {
	dir := t.TempDir()
	var at atomic.Value
	files := func() []string { return at.Load().([]string) }
	at.Store([]string(nil))
	w := watcherOf(t, files)
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		t.Skip("the system tells nothing of files:", err)
	}
	defer func() {
		if w.notify != nil {
			w.notify.Close()
		}
	}()
	for _, name := range []string{"a", "b", "c"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name, "key.pem"), []byte(name))
	}
	for _, test := range []struct{ files, want []string }{
		{[]string{"a/key.pem"}, []string{"a"}},
		{[]string{"b/key.pem", "c/key.pem"}, []string{"b", "c"}},
		{[]string{"c/key.pem", "none/key.pem"}, []string{"c"}},
		{[]string{"c/key.pem", "c/key.pem/below/it"}, []string{"c"}},
		{[]string{"a/key.pem"}, []string{"a"}},
	} {
		var paths []string
		for _, file := range test.files {
			paths = append(paths, filepath.Join(dir, file))
		}
		at.Store(paths)
		if w.follow(); w.notify == nil {
			t.Fatalf("with %q the system is not asked any more", test.files)
		}
		var got []string
		for _, path := range w.notify.WatchList() {
			got = append(got, filepath.Base(path))
		}
		if slices.Sort(got); !slices.Equal(got, test.want) {
			t.Errorf("with %q these are watched: %q, want %q", test.files, got, test.want)
		}
	}
}
