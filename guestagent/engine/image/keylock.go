//go:build linux

package image

import (
	"context"
	"sync"
)

// keyLock is a lock a key: layers by digest, snapshots by chain ID. Waiting ends with the context.
type keyLock struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the holder lets go
}

func newKeyLock() *keyLock { return &keyLock{held: map[string]chan struct{}{}} }

// lock returns the function that unlocks, or the context's error.
func (k *keyLock) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		k.mu.Lock()
		busy, taken := k.held[key]
		if !taken {
			mine := make(chan struct{})
			k.held[key] = mine
			k.mu.Unlock()
			return sync.OnceFunc(func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(mine)
			}), nil
		}
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
