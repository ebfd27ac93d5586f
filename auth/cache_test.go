package auth

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCacheExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](10)
		c.set("a", 1, time.Minute)
		time.Sleep(time.Minute)
		if v, ok := c.get("a"); v != 1 || !ok {
			t.Errorf("at its end get = %d, %t, want 1, true", v, ok)
		}
		time.Sleep(time.Nanosecond)
		if v, ok := c.get("a"); v != 0 || ok {
			t.Errorf("after its end get = %d, %t, want 0, false", v, ok)
		}
	})
}

func TestCacheTTL(t *testing.T) {
	for _, ttl := range []time.Duration{0, -1, -time.Hour, -1 << 63} {
		c := newCache[int](10)
		c.set("a", 1, time.Minute)
		c.set("a", 2, ttl)
		if v, ok := c.get("a"); ok {
			t.Errorf("ttl %v: get = %d, want nothing", ttl, v)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](10)
		c.set("a", 1, 1<<63-1) // go-cache alone would keep it for ever
		time.Sleep(24*time.Hour + 1)
		if _, ok := c.get("a"); ok {
			t.Error("an entry outlived a day")
		}
	})
}

// TestCacheEvicts fills a cache and checks what makes room: what expires soonest.
func TestCacheEvicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](32)
		for i := range 32 {
			c.set(fmt.Sprint(i), i, time.Duration(32-i)*time.Minute)
		}
		c.set("new", 99, time.Second)
		for i := range 32 {
			if _, ok := c.get(fmt.Sprint(i)); ok != (i < 29) {
				t.Errorf("entry %d is there: %t", i, ok)
			}
		}
		if _, ok := c.get("new"); !ok {
			t.Error("the new entry is not there")
		}
	})
}

func TestCacheDropsTheExpiredFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](32)
		for i := range 32 {
			c.set(fmt.Sprint(i), i, time.Minute+time.Duration(i%2)*time.Hour)
		}
		time.Sleep(2 * time.Minute)
		c.set("new", 99, time.Minute)
		if n := c.entries.ItemCount(); n != 17 {
			t.Errorf("%d entries, want 16 and the new one", n)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	for _, max := range []int{1, 2, 16, 100} {
		c := newCache[int](max)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 200 {
					c.set(fmt.Sprint(i, j), j, time.Hour)
					c.get(fmt.Sprint(i, j-1))
				}
			})
		}
		wg.Wait()
		if n := c.entries.ItemCount(); n > max || n == 0 {
			t.Errorf("%d entries, want 1 to %d", n, max)
		}
	}
}
