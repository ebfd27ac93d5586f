package auth

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSweep: an expired token does not stay, nor does the goroutine that sees
// to it.
// file files a token for a time, as a mint does.
func (s *Source) file(key string, ttl time.Duration) {
	s.tokens.file(issued{Token: &Token{expires: time.Now().Add(ttl)}, by: &minter{caller: &caller{clock: &clock{}}}, key: key}, ttl)
}

// filed is how many tokens are there.
func (s *Source) filed() int { return s.tokens.memory.tokens.entries.ItemCount() }

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{})
		for range 2 { // it can start again
			for i := range 10 {
				s.file(fmt.Sprint(i), time.Duration(i+1)*time.Minute-time.Second)
			}
			for i := range 10 {
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := s.filed(); n != 9-i {
					t.Errorf("after %d minutes %d tokens are there, want %d", i+1, n, 9-i)
				}
			}
			if s.sweeper.sweeping.Load() {
				t.Error("there is nothing left to sweep, but it goes on")
			}
			s.flights.working.Wait() // blocks for ever if a goroutine is left
		}
		s.file("last", time.Hour)
		s.Close() // ends it
		if n := s.filed(); n != 1 {
			t.Errorf("after Close %d tokens are there for Revoke, want 1", n)
		}
	})
}

// TestSweepWhatIsKnown: where an App is installed, or is not, does not stay either.
func TestSweepWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New([]*App{{Name: "a", Instance: "github.com"}}, Options{})
		defer s.Close()
		app := s.apps["github.com"][0]
		for i := range 100 {
			app.learn(fmt.Sprint(i), found{})
		}
		app.learn("installed", found{inst: &installation{}})
		s.flights.remember("x", errClosed, time.Second)
		time.Sleep(missingTTL + sweepEvery)
		synctest.Wait()
		if known, refused := app.known.entries.ItemCount(), s.flights.refusals.entries.ItemCount(); known != 1 || refused != 0 {
			t.Errorf("%d entries and %d refusals are there, want 1 and 0", known, refused)
		}
		time.Sleep(foundTTL)
		synctest.Wait()
		if known := app.known.entries.ItemCount(); known != 0 || s.sweeper.sweeping.Load() {
			t.Errorf("%d entries are there (sweeping: %t), want none", known, s.sweeper.sweeping.Load())
		}
	})
}

// TestSweepMissesNothing keeps tokens while sweeps end.
func TestSweepMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{})
		defer s.Close()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for range 50 {
					s.file(fmt.Sprint(i), time.Nanosecond)
					time.Sleep(sweepEvery)
				}
			})
		}
		wg.Wait()
		time.Sleep(2 * sweepEvery)
		synctest.Wait()
		if n := s.filed(); n != 0 || s.sweeper.sweeping.Load() {
			t.Errorf("%d expired tokens are left (sweeping: %t)", n, s.sweeper.sweeping.Load())
		}
	})
}
