package spool

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a writer whose reader can stop, and be gone.
type pipe struct {
	mu    sync.Mutex
	reads sync.Mutex // held while nobody reads
	text  strings.Builder
	err   error
}

func (p *pipe) Write(b []byte) (int, error) {
	p.reads.Lock()
	defer p.reads.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	return p.text.Write(b)
}

func (p *pipe) got() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestWriterWaitsForReaders(t *testing.T) {
	p := new(pipe)
	w := NewWriter(p)
	for i := range 3 {
		if n, err := fmt.Fprintf(w, "line %d\n", i); n != 7 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		if want := fmt.Sprintf("line %d\n", i); !strings.HasSuffix(p.got(), want) {
			t.Errorf("after its Write, %q lacks %q", p.got(), want)
		}
	}
	p.err = errors.New("the disk is full")
	if n, err := w.Write([]byte("x")); n != 0 || err != p.err {
		t.Errorf("Write = %d, %v, want %v", n, err, p.err)
	}
}

// A pipe that nobody reads stops nobody. What is too much is an error, and what
// waited arrives in order when somebody reads again.
func TestWriterStuck(t *testing.T) {
	p := new(pipe)
	p.reads.Lock()
	w := NewWriter(p)
	start := time.Now()
	line, full := strings.Repeat("x", 1<<10), 0
	for i := range 1100 {
		n, err := fmt.Fprintf(w, "%04d%s\n", i, line)
		switch {
		case errors.Is(err, ErrFull) && n == 0:
			full++
		case err != nil:
			t.Fatal(err)
		}
	}
	if !w.IsStuck() || full == 0 {
		t.Errorf("stuck %v, %d lost, want some", w.IsStuck(), full)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v, want little more than %v", took, patience)
	}
	p.reads.Unlock()
	for w.IsStuck() {
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintln(w, "again")
	lines := strings.Split(strings.TrimSpace(p.got()), "\n")
	if len(lines) != 1100-full+1 || lines[len(lines)-1] != "again" {
		t.Errorf("%d lines arrived, the last %.20q, want %d", len(lines), lines[len(lines)-1], 1100-full+1)
	}
	for i, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, fmt.Sprintf("%04d", i)) {
			t.Fatalf("line %d begins with %.10q", i, line)
		}
	}
}

// What waited and could not be written is told later.
func TestWriterLosesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		w := NewWriter(writerFunc(func([]byte) (int, error) {
			<-block
			return 0, errors.New("gone")
		}))
		lost := 0
		w.Lost = func(error) { lost++ }
		for range 3 {
			if _, err := w.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		}
		close(block)
		synctest.Wait()
		if lost != 3 || w.IsStuck() {
			t.Errorf("%d were told to be lost, want 3; stuck %v", lost, w.IsStuck())
		}
		if _, err := w.Write([]byte("x")); err == nil || lost != 3 {
			t.Errorf("Write = %v with %d lost, want its own error", err, lost)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func BenchmarkWriter(b *testing.B) {
	w := NewWriter(writerFunc(func(p []byte) (int, error) { return len(p), nil }))
	line := []byte(strings.Repeat("x", 400))
	b.ReportAllocs()
	for b.Loop() {
		w.Write(line)
	}
}
