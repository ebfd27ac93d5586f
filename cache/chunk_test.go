package cache

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestChunkSizes: they are sizes that the allocator makes, and the one for a length is the least that holds it.
func TestChunkSizes(t *testing.T) {
	for i, size := range chunkSizes {
		if made := cap(append([]byte(nil), make([]byte, size)...)); made != size {
			t.Errorf("the allocator makes %d of %d", made, size)
		}
		if i > 0 && (size <= chunkSizes[i-1] || chunkFor(chunkSizes[i-1]+1) != i) || chunkFor(size) != i {
			t.Errorf("%d is not what it should be", size)
		}
	}
	if chunkFor(1) != 0 || chunkFor(1<<20) != len(chunkSizes)-1 {
		t.Error("there are lengths without a size")
	}
}

// TestSpare: how much waits to be used again.
func TestSpare(t *testing.T) {
	var s spare
	number := chunkFor(2048)
	if s.take(number) != nil {
		t.Error("there is one from the start")
	}
	for i := range maxSpare + 2 {
		if s.put(make([]byte, 7, 2048), 64<<20) != (i < maxSpare) {
			t.Errorf("chunk %d is taken: %v", i, i >= maxSpare)
		}
	}
	if s.put(make([]byte, 2000), 64<<20) || s.put(make([]byte, 64<<10), 1<<40) {
		t.Error("one of another size is taken")
	}
	if s.bytes != maxSpare*2048 {
		t.Errorf("%d bytes count", s.bytes)
	}
	for range maxSpare {
		if chunk := s.take(number); len(chunk) != 0 || cap(chunk) != 2048 {
			t.Errorf("a chunk has %d of %d octets", len(chunk), cap(chunk))
		}
	}
	if s.take(number) != nil || s.bytes != 0 || s.take(number+1) != nil {
		t.Errorf("there are more than were put in, or %d bytes count", s.bytes)
	}
	for memory, want := range map[int64]bool{0: false, 2048*spareShare - 1: false, 2048 * spareShare: true} {
		if got := new(spare).put(make([]byte, 2048), memory); got != want {
			t.Errorf("of %d bytes of memory one is taken: %v", memory, got)
		}
	}
}

// full is a Cache that has no room left, with answers of that length: the oldest is /0.
func full(t *testing.T, length int) (*Cache, int) {
	c, n := New(4<<20), 0
	for ; c.Stats().Used+int64(length)+20<<10 < 4<<20; n++ {
		keeps(t, c, fmt.Sprint("/", n), "Bearer t", strings.Repeat("a", length))
	}
	if c.Stats().Evicted > 0 {
		t.Fatalf("%+v", c.Stats())
	}
	c.makeRoom(4<<20 - c.Stats().Used) // and what is left is in use
	return c, n
}

// TestRecycled: the memory of what goes is that of what comes, in what parts and of whatever length it is, unless somebody uses it
// still; all of it counts, until it is turned off.
func TestRecycled(t *testing.T) {
	for _, held := range []bool{false, true} {
		c, n := full(t, 8192)
		oldest := finds(t, c, "/0", "Bearer t", 1)
		memory := make(map[*byte]bool)
		for a := c.recent.first; a != nil; a = a.place.after {
			memory[&a.body[0][0]] = true
		}
		chunk := &oldest.body[0][0]
		kept := io.NopCloser(strings.NewReader(strings.Repeat("a", 8192)))
		if held {
			kept = oldest.Body()
		}
		other := strings.Repeat("b", 8100)
		a := keeps(t, c, fmt.Sprint("/", n), "Bearer t", other)
		if got := &a.body[0][0]; !memory[got] || held && got == chunk {
			t.Errorf("held %v: memory is used again: %v; what is in use: %v", held, memory[got], got == chunk)
		}
		text, _ := io.ReadAll(a.Body())
		before, _ := io.ReadAll(kept)
		if string(text) != other || string(before) != strings.Repeat("a", 8192) {
			t.Errorf("held %v: what was kept is now %.9q, the new one %.9q", held, before, text)
		}
		if !held && oldest.body != nil {
			t.Error("what has gone has its memory still")
		}
		used := c.spare.bytes
		for a := c.recent.first; a != nil; a = a.place.after {
			used += a.cost
		}
		if got := c.Stats().Used; got < used || got > 4<<20 {
			t.Errorf("held %v: %d bytes are used, %d of them are known", held, got, used)
		}
	}
	c, n := full(t, 8192)
	for i := range 20 {
		keeps(t, c, fmt.Sprint("/", n+i), "Bearer t", strings.Repeat("b", 100))
	}
	if c.spare.bytes == 0 {
		t.Fatal("nothing waits to be used again")
	}
	if c.Resize(3 << 20); c.spare.bytes != 0 || c.Stats().Used > 3<<20 || c.Stats().Answers == 0 {
		t.Errorf("%d bytes wait when the size has changed: %+v", c.spare.bytes, c.Stats())
	}
}

// TestTrimmed: what a body of unknown length did not need is used again, and counts once.
func TestTrimmed(t *testing.T) {
	c := New(4 << 20)
	req, q := requestFor(t, "/a", "Bearer t")
	text := strings.Repeat("0123456789", 100)
	resp := answerWith(text, tagFor(text, "Bearer t"))
	resp.ContentLength = -1
	body := c.Fill(&q, req, resp, 1, nil)
	for buf, err := make([]byte, 100), error(nil); err == nil; {
		_, err = body.Read(buf)
	}
	a := finds(t, c, "/a", "Bearer t", 1)
	if got := cap(a.body[0]); len(a.body) != 1 || got != 1024 || c.spare.bytes != smallChunk || c.Stats().Used != a.cost+smallChunk {
		t.Errorf("%d chunks, the first of %d; %d bytes wait; %+v", len(a.body), got, c.spare.bytes, c.Stats())
	}
	if kept, _ := io.ReadAll(a.Body()); string(kept) != text {
		t.Errorf("it is %q", kept)
	}
}

// TestNobodyElses: many who keep, read and hold answers at once, while others make room, each read what they asked for.
func TestNobodyElses(t *testing.T) {
	c := New(2 << 20)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			buf := make([]byte, 5000)
			for range 600 {
				page := random.IntN(200)
				body := bytes.Repeat(fmt.Appendf(nil, "<%03d>", page), 20+page*page/2)
				target, token := fmt.Sprint("/", page), fmt.Sprint("Bearer ", worker)
				req, q := requestFor(t, target, token)
				if kept := c.Find(&q, req.Header, uint64(worker), nil); kept != nil {
					text := kept.Body()
					kept.Release()
					if random.IntN(2) == 0 {
						keepAnother(t, c, random)
					}
					got, err := io.ReadAll(text)
					if text.Close(); err != nil || !bytes.Equal(got, body) {
						at := slices.IndexFunc(got, func(octet byte) bool { return !bytes.Contains(body[:5], []byte{octet}) })
						t.Errorf("page %d: %d octets, %v; of another from %d on", page, len(got), err, at)
						return
					}
					continue
				}
				resp := answerWith(string(body), tagFor(string(body), token))
				if random.IntN(2) == 0 {
					resp.ContentLength = -1
				}
				filled := c.Fill(&q, req, resp, uint64(worker), nil)
				for err := error(nil); err == nil; {
					_, err = filled.Read(buf[:1+random.IntN(len(buf))])
				}
				filled.Close()
			}
		})
	}
	all.Wait()
	if s := c.Stats(); s.Evicted == 0 || s.Used > 2<<20 {
		t.Errorf("%+v", s)
	}
}

// keepAnother keeps a page that nobody asks for.
func keepAnother(t *testing.T, c *Cache, random *rand.Rand) {
	req, q := requestFor(t, fmt.Sprint("/other/", random.IntN(1000)), "Bearer t")
	body := strings.Repeat("x", random.IntN(8000))
	fetch(t, c, &q, req, answerWith(body, tagFor(body, "Bearer t")), 1)
}
