package spool

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a writer whose reader can stop, and be gone, and that may have room for
// some bytes only.
type pipe struct {
	mu     sync.Mutex
	reads  sync.Mutex // held while nobody reads
	text   strings.Builder
	writes int
	room   int // counts if err is not nil
	err    error
}

func (p *pipe) Write(b []byte) (int, error) {
	p.reads.Lock()
	defer p.reads.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	if p.err == nil || p.room >= len(b) {
		p.room -= len(b)
		return p.text.Write(b)
	}
	n := p.room
	p.room = 0
	p.text.Write(b[:n])
	return n, p.err
}

func (p *pipe) got() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func (p *pipe) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes
}

func (p *pipe) set(err error, room int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.room = err, room
}

// TestWriterCollects: the first line is written at once, what comes soon after that
// together, and all of it no later than that.
func TestWriterCollects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pipe)
		w := NewWriter(p)
		time.Sleep(time.Second)
		fmt.Fprintln(w, "first")
		synctest.Wait()
		if got := p.got(); got != "first\n" {
			t.Errorf("%q was written at once", got)
		}
		for i := range 100 {
			fmt.Fprintln(w, i)
		}
		synctest.Wait()
		if p.count() != 1 {
			t.Errorf("%d writes at once", p.count())
		}
		time.Sleep(Delay)
		synctest.Wait()
		if p.count() != 2 || strings.Count(p.got(), "\n") != 101 || !strings.HasSuffix(p.got(), "98\n99\n") {
			t.Errorf("%d writes: %q", p.count(), p.got())
		}
		for range eager / 10 {
			fmt.Fprint(w, "123456789\n")
		}
		fmt.Fprint(w, "123456789\n")
		synctest.Wait()
		if p.count() != 3 {
			t.Errorf("%d writes after much was written", p.count())
		}
		w.Flush(time.Second)
	})
}

// TestWriteNow: it is written when WriteNow returns, with what came before, and in one
// Write with what others write now.
func TestWriteNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pipe)
		w := NewWriter(p)
		for i := range 3 {
			fmt.Fprintf(w, "line %d\n", i)
			if err := w.WriteNow([]byte("now\n")); err != nil {
				t.Error(err)
			}
			if want := fmt.Sprintf("line %d\nnow\n", i); !strings.HasSuffix(p.got(), want) {
				t.Errorf("after WriteNow, %q lacks %q", p.got(), want)
			}
		}
		full := errors.New("the disk is full")
		p.set(full, 0)
		if err := w.WriteNow([]byte("x\n")); err != full {
			t.Errorf("WriteNow: %v", err)
		}
		p.set(full, 2) // of the two only the first finds room
		fmt.Fprint(w, "y\n")
		if err := w.WriteNow([]byte("z\n")); err != full {
			t.Errorf("WriteNow: %v", err)
		}
		p.set(full, 3)
		if err := w.WriteNow([]byte("a\n")); err != nil {
			t.Errorf("WriteNow of what is written: %v", err)
		}
		p.set(nil, 0)
		if !w.Flush(time.Second) || !strings.HasSuffix(p.got(), "now\ny\na\n") {
			t.Errorf("%q", p.got())
		}
	})
}

// TestWriterFlushes: nothing waits after Flush.
func TestWriterFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pipe)
		w := NewWriter(p)
		if !w.Flush(0) {
			t.Error("nothing cannot be flushed")
		}
		for i := range 10 {
			fmt.Fprintln(w, i)
			began := time.Now()
			if !w.Flush(time.Second) || strings.Count(p.got(), "\n") != i+1 {
				t.Errorf("%q after Flush", p.got())
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("Flush took %v", took)
			}
		}
	})
	p := new(pipe)
	p.reads.Lock()
	w := NewWriter(p)
	fmt.Fprintln(w, "x")
	if w.Flush(10 * time.Millisecond) {
		t.Error("Flush reports that what nobody reads is written")
	}
	p.reads.Unlock()
	w.Flush(10 * time.Second)
}

// A pipe that nobody reads stops nobody. What is too much is an error, and what
// waited arrives in order when somebody reads again.
func TestWriterStuck(t *testing.T) {
	p := new(pipe)
	p.reads.Lock()
	w := NewWriter(p)
	line, full := strings.Repeat("x", 1<<10), 0
	if err := w.WriteNow([]byte("first\n")); err != ErrWaits {
		t.Errorf("WriteNow: %v", err)
	}
	start := time.Now()
	for i := range 1100 {
		n, err := fmt.Fprintf(w, "%04d%s\n", i, line)
		switch {
		case errors.Is(err, ErrFull) && n == 0:
			full++
		case err != nil:
			t.Fatal(err)
		}
		if err := w.WriteNow([]byte("-")); err != ErrWaits && err != ErrFull {
			t.Fatal(err)
		}
	}
	if !w.IsStuck() || full == 0 {
		t.Errorf("stuck %v, %d lost, want some", w.IsStuck(), full)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	p.reads.Unlock()
	if !w.Flush(10*time.Second) || w.IsStuck() {
		t.Error("it waits on")
	}
	fmt.Fprintln(w, "again")
	w.Flush(10 * time.Second)
	lines := strings.Split(strings.TrimSpace(p.got()), "\n")
	if len(lines) != 1100-full+2 || !strings.HasSuffix(lines[len(lines)-1], "again") {
		t.Errorf("%d lines arrived, the last %.20q, want %d", len(lines), lines[len(lines)-1], 1100-full+2)
	}
	for i, line := range lines[1 : len(lines)-1] {
		if !strings.HasPrefix(strings.TrimLeft(line, "-"), fmt.Sprintf("%04d", i)) {
			t.Fatalf("line %d begins with %.10q", i, line)
		}
	}
}

// TestWriterLoses: what could not be written is counted by lines; those that are there
// are not lost, and one that is there in part does not run into the next.
func TestWriterLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pipe)
		w := NewWriter(p)
		lost, reports := 0, 0
		var last error
		w.Report = func(n int, err error) { lost, reports, last = lost+n, reports+1, err }
		w.WriteNow([]byte("a\n"))
		full := errors.New("full")
		for _, test := range []struct {
			room, lost int
			text       string
		}{
			{len("one\ntw"), 2, "a\none\ntw"},
			{0, 3, "a\none\ntw"},
			{1, 3, "a\none\ntw\n"},
			{len("one\n"), 2, "a\none\ntw\none\n"},
		} {
			p.set(full, test.room)
			lost = 0
			fmt.Fprint(w, "one\n")
			fmt.Fprint(w, "two\n")
			fmt.Fprint(w, "three\n")
			w.Flush(time.Second)
			if lost != test.lost || last != full || p.got() != test.text {
				t.Errorf("room for %d: %d lost, %v: %q, want %d: %q", test.room, lost, last, p.got(), test.lost, test.text)
			}
		}
		p.set(nil, 0)
		lost, reports = 0, 0
		w.WriteNow([]byte("b\n"))
		if lost != 0 || reports != 1 || last != nil || !strings.HasSuffix(p.got(), "one\nb\n") {
			t.Errorf("%d lost, %v: %q", lost, last, p.got())
		}
	})
}

// TestWriterOfMany: nothing is lost, and the lines of each stay in their order.
func TestWriterOfMany(t *testing.T) {
	p := new(pipe)
	w := NewWriter(p)
	var reported atomic.Int64
	w.Report = func(n int, err error) { reported.Add(1) }
	const writers, lines = 8, 2000
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for n := range lines {
				line := fmt.Appendf(nil, "%d %d\n", i, n)
				if n%50 == 0 {
					if err := w.WriteNow(line); err != nil {
						t.Error(err)
					}
				} else if _, err := w.Write(line); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.Flush(10 * time.Second)
	next := make([]int, writers)
	for line := range strings.Lines(p.got()) {
		var i, n int
		if _, err := fmt.Sscan(line, &i, &n); err != nil || n != next[i] {
			t.Fatalf("%q, want line %d of it", line, next[i])
		}
		next[i]++
	}
	for i, n := range next {
		if n != lines {
			t.Errorf("%d lines of writer %d", n, i)
		}
	}
	if n := reported.Load(); n >= writers*lines/2 {
		t.Errorf("%d writes for %d lines", n, writers*lines)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestWriteAllocatesNothing: a line is copied, into memory that is used again.
func TestWriteAllocatesNothing(t *testing.T) {
	w := NewWriter(writerFunc(func(p []byte) (int, error) { return len(p), nil }))
	line := []byte(strings.Repeat("x", 20))
	if n := testing.AllocsPerRun(2000, func() { w.Write(line) }); n > 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func BenchmarkWriter(b *testing.B) {
	w := NewWriter(writerFunc(func(p []byte) (int, error) { return len(p), nil }))
	line := []byte(strings.Repeat("x", 400))
	b.ReportAllocs()
	for b.Loop() {
		w.Write(line)
	}
}
