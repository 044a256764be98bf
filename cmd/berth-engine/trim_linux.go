package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How much memory an engine that has worked hard may keep.
const (
	trimEvery = 2 * time.Second
	trimAbove = 10 << 20 // bytes of heap, used or not; below it there is little to win
	trimSlack = 4 << 20  // bytes that it may grow beyond what the last collection left
)

// trim gives memory back that a pull or a burst of containers has left, which the runtime itself would do over minutes.
// It collects only where the heap has grown since, so that a heap that is large for good costs nothing.
func trim(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
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
		if !quiet || now < trimAbove || now < left+left/2+trimSlack {
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
