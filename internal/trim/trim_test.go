package trim

import (
	"context"
	"testing"
	"time"
)

func TestMemoryIsGivenBack(t *testing.T) {
	work := make([][]byte, 64)
	for i := range work {
		work[i] = make([]byte, 1<<20)
		for k := 0; k < len(work[i]); k += 4096 {
			work[i][k] = 1
		}
	}
	full := heap()
	if full < 64<<20 {
		t.Fatalf("the heap has %d bytes", full)
	}
	work = nil
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go Run(ctx, 10<<20)
	for end := time.Now().Add(60 * time.Second); heap() > 10<<20; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d bytes are still held", heap(), full)
		}
	}
	_ = work
}
