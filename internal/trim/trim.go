// Package trim gives memory back to the machine that a resident program no longer needs.
package trim

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How often is looked, and how much may stay.
const (
	every = 2 * time.Second
	slack = 4 << 20 // bytes that the heap may grow beyond what the last collection left
)

// Run gives memory back until ctx ends: what a pull or a burst of containers has left, which Go's runtime would let go of
// over minutes. It collects only where the heap has more than above bytes and has grown since the last time, so that a
// heap that is large for good costs nothing.
func Run(ctx context.Context, above uint64) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	left := uint64(0)
	for before := heap(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := heap()
		quiet := now <= before // it has done growing
		before = now
		if !quiet || now < above || now < left+left/2+slack {
			continue
		}
		debug.FreeOSMemory()
		left = heap()
		before = left
	}
}

// heap is the memory of the heap that the machine cannot use for anything else, in bytes.
func heap() (n uint64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			n += s.Value.Uint64()
		}
	}
	return n
}
