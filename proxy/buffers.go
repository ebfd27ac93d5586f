package proxy

import (
	"sync"

	"ghapp-proxy/internal/poison"
)

// bufferPool lends the buffers that bodies are copied through.
type bufferPool struct{ pool sync.Pool }

const copyBufferSize = 32 << 10

var copyBuffers = bufferPool{sync.Pool{New: func() any { return new([copyBufferSize]byte) }}}

// Get implements httputil.BufferPool.
func (b *bufferPool) Get() []byte { return b.pool.Get().(*[copyBufferSize]byte)[:] }

// Put implements httputil.BufferPool.
func (b *bufferPool) Put(buf []byte) {
	poison.Over(buf[:copyBufferSize])
	b.pool.Put((*[copyBufferSize]byte)(buf))
}
