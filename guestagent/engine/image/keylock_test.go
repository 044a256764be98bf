//go:build linux

package image

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestKeyLockExcludesByKey(t *testing.T) {
	k := newKeyLock()
	ctx := context.Background()
	counts := map[string]*int{"a": new(int), "b": new(int)}
	var wg sync.WaitGroup
	for key, n := range counts {
		for range 50 {
			wg.Go(func() {
				unlock, err := k.lock(ctx, key)
				if err != nil {
					t.Error(err)
					return
				}
				defer unlock()
				*n++ // the race detector watches
			})
		}
	}
	wg.Wait()
	if *counts["a"] != 50 || *counts["b"] != 50 || len(k.held) != 0 {
		t.Errorf("%d, %d, %d keys held", *counts["a"], *counts["b"], len(k.held))
	}
}

func TestKeyLockWaitEndsWithTheContext(t *testing.T) {
	k := newKeyLock()
	unlock, err := k.lock(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := k.lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	unlock()
	unlock() // once is enough, twice does no harm
	again, err := k.lock(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestCacheIgnoresAnswersFromBeforeAChange(t *testing.T) {
	c := newCache()
	_, gen := c.get("x")
	c.drop()
	c.put("x", gen, &Image{ID: "old"})
	got, gen := c.get("x")
	if got != nil {
		t.Fatalf("a stale answer was kept: %v", got)
	}
	c.put("x", gen, &Image{ID: "new"})
	got, _ = c.get("x")
	got.ID = "changed by a caller"
	if again, _ := c.get("x"); again.ID != "new" {
		t.Errorf("the cache's own copy became %q", again.ID)
	}
}
