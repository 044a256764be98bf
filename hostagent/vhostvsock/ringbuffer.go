//go:build linux

package vhostvsock

import (
	"math/bits"
	"sync"
)

// smallest is the least that a buffer has; what is not larger stays with its connection.
const smallest = 4 << 10

// buffers keeps buffers that are not in use, by the logarithm of their size.
type buffers struct{ pools [32]sync.Pool }

func (b *buffers) get(n int) []byte {
	n = max(n, smallest)
	class := bits.Len(uint(n - 1))
	if p, ok := b.pools[class].Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 1<<class)
}

func (b *buffers) put(p []byte) { b.pools[bits.Len(uint(len(p)-1))].Put(&p) }

// ringBuffer holds what a guest has sent and nobody has read yet. Bytes that front returned stay as they are until drop.
type ringBuffer struct {
	from *buffers
	mem  []byte // a power of two
	head int
	n    int
}

// add copies segs in, up to n bytes, which the caller has checked to be there.
func (r *ringBuffer) add(segs [][]byte, n int) {
	if r.n+n > len(r.mem) {
		r.grow(r.n + n)
	}
	for _, s := range segs {
		s = s[:min(n, len(s))]
		n -= len(s)
		for len(s) > 0 {
			at := (r.head + r.n) & (len(r.mem) - 1)
			k := copy(r.mem[at:], s)
			s, r.n = s[k:], r.n+k
		}
		if n == 0 {
			return
		}
	}
}

// grow moves to a larger buffer. The old one is left to the collector: somebody may be reading from it.
func (r *ringBuffer) grow(n int) {
	larger := r.from.get(n)
	for k := 0; k < r.n; {
		at := (r.head + k) & (len(r.mem) - 1)
		k += copy(larger[k:r.n], r.mem[at:min(len(r.mem), at+r.n-k)])
	}
	r.mem, r.head = larger, 0
}

// front is the first piece of what is there.
func (r *ringBuffer) front() []byte {
	return r.mem[r.head:min(len(r.mem), r.head+r.n)]
}

// drop forgets n bytes of front. Only the one that reads may call it.
func (r *ringBuffer) drop(n int) {
	r.head, r.n = (r.head+n)&(len(r.mem)-1), r.n-n
	if r.n == 0 {
		r.head = 0
		if len(r.mem) > smallest {
			r.from.put(r.mem)
			r.mem = nil
		}
	}
}
