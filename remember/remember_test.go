package remember

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
)

var _ auth.Shared = (*Store)(nil)

func value8(generation uint64, text string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, generation), text...)
}

// TestRemember: what is filed is there until it ends, also for who opens the file next, and another generation can take its place.
func TestRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, path := t.Context(), filepath.Join(t.TempDir(), "state", Name)
		s := Open(path, slog.New(slog.DiscardHandler))
		s.Save()
		if _, err := os.Stat(path); err == nil {
			t.Error("a file is written of nothing")
		}
		made, done := s.Claim(ctx, "a", 0)
		if made != nil || done == nil {
			t.Fatalf("Claim of nothing = %q, %v", made, done != nil)
		}
		done(value8(7, "one"), time.Hour)
		done(nil, time.Hour)
		s.Offer("a", value8(8, "two"), time.Hour)
		s.Offer("b", value8(9, "three"), time.Minute)
		s.Delete("a", 8)
		s.Put("c", value8(1, strings.Repeat("x", maxValue)), time.Hour)
		s.Put("d", value8(1, "no time"), 0)
		s.Put("e", value8(1, "for ever"), 1000*time.Hour)
		if s.Count() != 3 {
			t.Errorf("%d values are filed, want a, b and e", s.Count())
		}
		s.Save()
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("the file: %v, %v", info, err)
		}
		next := func() *Store { return Open(path, slog.New(slog.DiscardHandler)) }
		if got := next().Count(); got != 3 {
			t.Errorf("%d values are remembered, want a, b and e", got)
		}
		time.Sleep(2 * time.Minute)
		after := next()
		if got := after.Get(ctx, "a"); !bytes.Equal(got, value8(7, "one")) {
			t.Errorf("a is %q", got)
		}
		if after.Get(ctx, "b") != nil || s.Get(ctx, "b") != nil || after.Count() != 2 {
			t.Errorf("b has not ended; %d values", after.Count())
		}
		if got, done := after.Claim(ctx, "a", 7); got != nil || done == nil {
			t.Errorf("Claim of another than 7 = %q", got)
		}
		if may, ok := after.Replace(ctx, "a", 7, time.Minute); may || ok || after.Get(ctx, "a") != nil {
			t.Error("a is there after it was replaced")
		}
		if after.Save(); after.Count() != 1 {
			t.Errorf("%d values stay, want e", after.Count())
		}
		if next().Get(ctx, "a") != nil {
			t.Error("what was replaced comes back")
		}
		time.Sleep(maxLife)
		if next().Count() != 0 {
			t.Error("something lasts for ever")
		}
	})
}

// TestSavedEachMinute: a crash loses no more than a minute.
func TestSavedEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		path := filepath.Join(t.TempDir(), Name)
		s := Open(path, slog.New(slog.DiscardHandler))
		go s.Run(ctx)
		s.Put("a", value8(1, "a"), time.Hour)
		time.Sleep(saveEvery + time.Second)
		if got := Open(path, s.log).Count(); got != 1 {
			t.Errorf("%d values after a minute", got)
		}
		s.Put("b", value8(1, "b"), time.Second)
		if time.Sleep(2 * saveEvery); s.Count() != 1 {
			t.Errorf("%d values are kept in memory, want the one that has not ended", s.Count())
		}
	})
}

// TestNotWritten: what cannot be written is logged, and tried again.
func TestNotWritten(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	path := filepath.Join(dir, "state", Name)
	if err := os.WriteFile(filepath.Join(dir, "state"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	s.Put("a", value8(1, "a"), time.Hour)
	s.Save()
	if !strings.Contains(log.String(), "is not remembered") {
		t.Errorf("the log has %q", &log)
	}
	if err := os.Remove(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	s.Save()
	if Open(path, s.log).Count() != 1 {
		t.Error("it is not tried again")
	}
}

// TestNoSuchFile: of a file that is none of ours, or was cut, nothing is taken that is not whole.
func TestNoSuchFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	s := Open(path, slog.New(slog.DiscardHandler))
	for i := range 3 {
		s.Put(fmt.Sprint(i), value8(1, strings.Repeat("x", 100)), time.Hour)
	}
	s.Save()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range text {
		if err := os.WriteFile(path, text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		cut := Open(path, s.log)
		if want := max(n-len(magic), 0) / (44 + 108); cut.Count() != want {
			t.Fatalf("%d of %d bytes have %d values, want %d", n, len(text), cut.Count(), want)
		}
		for i := range 3 {
			if v := cut.Get(t.Context(), fmt.Sprint(i)); v != nil && len(v) != 108 {
				t.Fatalf("%d bytes of a value", len(v))
			}
		}
	}
	far := bytes.Clone(text[:len(magic)+44+108])
	binary.BigEndian.PutUint64(far[len(magic)+32:], uint64(time.Now().Add(2*maxLife).UnixMilli()))
	for _, wrong := range [][]byte{far, []byte("x" + string(text[1:])), append([]byte(magic), bytes.Repeat([]byte{255}, 200)...)} {
		if err := os.WriteFile(path, wrong, 0o600); err != nil {
			t.Fatal(err)
		}
		if n := Open(path, s.log).Count(); n != 0 {
			t.Errorf("%d values of %.30q", n, wrong)
		}
	}
}

// TestDamaged: what cannot be read, or only in part, is said; what is not there is not.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	Open(path, slog.New(slog.DiscardHandler)).saveOne(t, "a", value8(1, "a"))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Clone(text[:len(magic)+headSize])
	binary.BigEndian.PutUint32(long[len(long)-4:], maxValue+1)
	for _, test := range []struct {
		name   string
		text   []byte
		said   string // "" for nothing
		values int
	}{
		{"whole", text, "", 1},
		{"nothing but its beginning", []byte(magic), "", 0},
		{"something behind", append(bytes.Clone(text), 1), "damaged", 1},
		{"cut", text[:len(text)-1], "damaged", 0},
		{"a value that is too long", append(long, make([]byte, maxValue+1)...), "damaged", 0},
		{"empty", nil, "not understood", 0},
		{"another", []byte("x" + string(text)), "not understood", 0},
		{"too long", append(bytes.Clone(text), make([]byte, maxFile)...), "cannot be read", 0},
	} {
		if err := os.WriteFile(path, test.text, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
		if s.Count() != test.values || !strings.Contains(log.String(), test.said) || test.said == "" && log.Len() > 0 {
			t.Errorf("%s: %d values, the log has %q", test.name, s.Count(), &log)
		}
		for _, v := range s.values {
			if cap(v.text) > 2*len(v.text)+64 {
				t.Errorf("%s: a value of %d bytes keeps %d", test.name, len(v.text), cap(v.text))
			}
		}
	}
	var log bytes.Buffer
	if Open(filepath.Join(t.TempDir(), Name), slog.New(slog.NewTextHandler(&log, nil))); log.Len() > 0 {
		t.Errorf("of a file that is not there the log has %q", &log)
	}
}

// TestWrittenWhenNew: the file is written where something is new alone, in a directory that is nobody else's.
func TestWrittenWhenNew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, Name)
	s := Open(path, slog.New(slog.DiscardHandler))
	s.saveOne(t, "a", value8(1, "a"))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.Delete("a", 2)
	if s.Save(); fileThere(path) {
		t.Error("it is written where nothing is new")
	}
	s.Delete("a", 1)
	if s.Save(); !fileThere(path) {
		t.Error("it is not written where something is gone")
	}
}

// TestSavedByTwo: who has saved finds in the file what was filed before, though another one was saving at that time.
func TestSavedByTwo(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	s := Open(path, slog.New(slog.DiscardHandler))
	for i := range 20 {
		s.Put(fmt.Sprint(i), value8(1, "x"), time.Hour)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s.Save()
				if got := Open(path, s.log).Count(); got != i+1 {
					t.Errorf("%d values are in the file, want %d", got, i+1)
				}
			})
		}
		wg.Wait()
	}
}

// TestSymbolicLink: what a link at the file's place leads to is not written.
func TestSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, Name), filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, path); err != nil {
		t.Skip(err)
	}
	Open(path, slog.New(slog.DiscardHandler)).saveOne(t, "a", value8(1, "a"))
	if text, err := os.ReadFile(other); err != nil || string(text) != "precious" {
		t.Errorf("the other file has %q, %v", text, err)
	}
}

// saveOne files a value and saves.
func (s *Store) saveOne(t *testing.T, key string, text []byte) {
	t.Helper()
	s.Put(key, text, time.Hour)
	if s.Save(); !fileThere(s.path) {
		t.Fatal("nothing is saved")
	}
}

func fileThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestShortValue: what is too short to have a generation is of none.
func TestShortValue(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), Name), slog.New(slog.DiscardHandler))
	s.Put("a", []byte("short"), time.Hour)
	if got, _ := s.Claim(t.Context(), "a", 1); string(got) != "short" {
		t.Errorf("Claim = %q", got)
	}
}

// TestBounded: there is an end to what is kept, and what has ended makes room.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Open(filepath.Join(t.TempDir(), Name), slog.New(slog.DiscardHandler))
		for i := range maxValues + 10 {
			s.Put(fmt.Sprint(i), value8(1, ""), time.Minute)
		}
		if s.Count() != maxValues {
			t.Errorf("%d values", s.Count())
		}
		s.Put("0", value8(2, "another"), time.Minute)
		if got := s.Get(t.Context(), "0"); !bytes.Equal(got, value8(2, "another")) {
			t.Errorf("in place of another there is %q", got)
		}
		s.Save()
		text, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, bytes.Repeat([]byte("y"), sha256.Size)...)
		text = binary.BigEndian.AppendUint64(text, uint64(time.Now().Add(time.Minute).UnixMilli()))
		if err := os.WriteFile(s.path, binary.BigEndian.AppendUint32(text, 0), 0o600); err != nil {
			t.Fatal(err)
		}
		if n := Open(s.path, s.log).Count(); n != maxValues {
			t.Errorf("%d values of a file that has one more", n)
		}
		time.Sleep(2 * time.Minute)
		s.Put("new", value8(1, "new"), time.Minute)
		if s.Count() != 1 {
			t.Errorf("%d values after all have ended", s.Count())
		}
	})
}

// TestBoundedSize: long values are fewer, whatever becomes of those before, and the file of all that is kept can be read.
func TestBoundedSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = maxSize / maxValue
		s := Open(filepath.Join(t.TempDir(), Name), slog.New(slog.DiscardHandler))
		long := value8(1, strings.Repeat("x", maxValue-generationSize))
		for range 2 {
			for i := range most + 10 {
				s.Put(fmt.Sprint(i), long, time.Minute)
			}
			if s.Count() != most {
				t.Fatalf("%d values, want %d", s.Count(), most)
			}
			s.Put("0", long, time.Minute)
			s.Delete("1", 1)
			s.Put("one more", long, time.Minute)
			if s.Count() != most || s.Get(t.Context(), "one more") == nil {
				t.Fatalf("%d values where one made room, want %d", s.Count(), most)
			}
			s.Delete("one more", 1)
		}
		s.Put("one more", long, time.Minute)
		s.Save()
		if n := Open(s.path, s.log).Count(); n != most {
			t.Errorf("%d values are remembered, want %d", n, most)
		}
		time.Sleep(2 * time.Minute)
		s.Put("new", long, time.Minute)
		if s.Count() != 1 || s.size != maxValue {
			t.Errorf("%d values of %d bytes after all have ended", s.Count(), s.size)
		}
	})
}
