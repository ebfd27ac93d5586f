package cache

import (
	"slices"

	"ghapp-proxy/internal/poison"
)

// chunkSizes are those of the parts that bodies are kept in: sizes that the allocator makes (runtime/sizeclasses.go of Go
// 1.26), so that nothing is between them.
var chunkSizes = [...]int{
	64, 96, 128, 192, 256, 384, 512, 640, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3456, 4096, 4864, 5376, 6144, 6784,
	8192, 9472, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 20480, 21760, 24576, 27264, 28672, maxChunk,
}

const (
	// maxChunk is the largest of them; what is larger is dear to make.
	maxChunk = 32 << 10
	// smallChunk is the one for a body whose length is not known.
	smallChunk = 4 << 10
	// maxSpare is how many chunks of a size wait to be used again, if they are no more than
	maxSpare = 8
	// one so many parts of all memory.
	spareShare = 256
)

// chunkFor is the number of the size for so many bytes, up to maxChunk.
func chunkFor(n int) int {
	i, _ := slices.BinarySearch(chunkSizes[:], min(n, maxChunk))
	return i
}

// spare are chunks of answers that were dropped to make room, for those that come. They count as used.
type spare struct {
	chunks [len(chunkSizes)][][]byte
	bytes  int64
}

// take takes a chunk out, which is empty; nil if there is none.
func (s *spare) take(size int) (chunk []byte) {
	if n := len(s.chunks[size]); n > 0 {
		chunk, s.chunks[size][n-1] = s.chunks[size][n-1], nil
		s.chunks[size] = s.chunks[size][:n-1]
		s.bytes -= int64(cap(chunk))
	}
	return chunk
}

// put puts a chunk in that nobody uses any more, and reports whether there is room for it in so much memory.
func (s *spare) put(chunk []byte, memory int64) bool {
	size := chunkFor(cap(chunk))
	n := len(s.chunks[size])
	if chunkSizes[size] != cap(chunk) || n == maxSpare || int64((n+1)*cap(chunk)) > memory/spareShare {
		return false
	}
	poison.Over(chunk[:cap(chunk)])
	s.chunks[size] = append(s.chunks[size], chunk[:0])
	s.bytes += int64(cap(chunk))
	return true
}

// takeChunk is an empty chunk of the size with that number, or nil where it has to be made. It reports whether there is memory
// for it, which counts as used from here on.
func (c *Cache) takeChunk(size int) (chunk []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if chunk = c.spare.take(size); chunk != nil {
		return chunk, true
	}
	return nil, c.makeRoom(int64(chunkSizes[size]))
}

// returnChunk gives back a chunk that nobody uses any more.
func (c *Cache) returnChunk(chunk []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.spare.put(chunk, c.size.Load()) {
		c.used -= int64(cap(chunk))
	}
}

// recycle keeps the chunks of an answer for others. The answer must have been taken out, and nobody may use it; the
// Cache must be locked.
func (c *Cache) recycle(a *Answer) {
	before := c.spare.bytes
	for _, chunk := range a.body {
		c.spare.put(chunk, c.size.Load())
	}
	a.body = nil
	c.used += c.spare.bytes - before
}

// dropSpare lets go of all chunks that wait. The Cache must be locked.
func (c *Cache) dropSpare() {
	c.used -= c.spare.bytes
	c.spare = spare{}
}
