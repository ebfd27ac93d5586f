package remember

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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
		time.Sleep(2 * time.Minute)
		s.Put("new", value8(1, "new"), time.Minute)
		if s.Count() != 1 {
			t.Errorf("%d values after all have ended", s.Count())
		}
	})
}
