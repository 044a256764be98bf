//go:build linux

package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/snapshots"
	cerrdefs "github.com/containerd/errdefs"
)

const (
	leasePrefix = "op-"
	// leaseAge is how long what a broken pull left behind waits for the next attempt.
	leaseAge = 24 * time.Hour
	// extractPrefix begins the key of a snapshot that is being unpacked into.
	extractPrefix = "extract-"
)

// pullLeases counts who works under a lease: a pull of the same image twice at a time shares one.
type pullLeases struct {
	mu     sync.Mutex
	active map[string]int
}

func newPullLeases() *pullLeases { return &pullLeases{active: map[string]int{}} }

// lease protects what is fetched under the returned context from garbage collection. done(true) lets it go: by then
// the image's name protects it. After done(false) it stays for a day, so that the next attempt resumes.
func (s *Service) lease(ctx context.Context, purpose string) (_ context.Context, done func(ok bool), err error) {
	sum := sha256.Sum256([]byte(purpose))
	id := leasePrefix + hex.EncodeToString(sum[:16])
	s.pulls.mu.Lock()
	defer s.pulls.mu.Unlock()
	if s.pulls.active[id] == 0 {
		if _, err := s.leases.Create(ctx, leases.WithID(id)); err != nil && !cerrdefs.IsAlreadyExists(err) {
			return nil, nil, fmt.Errorf("lease for %s: %w", purpose, err)
		}
	}
	s.pulls.active[id]++
	// Letting go must work after the client has gone.
	after := context.WithoutCancel(ctx)
	done = func(ok bool) {
		s.pulls.mu.Lock()
		defer s.pulls.mu.Unlock()
		if s.pulls.active[id]--; s.pulls.active[id] > 0 {
			return
		}
		delete(s.pulls.active, id)
		if ok && s.leases.Delete(after, leases.Lease{ID: id}) == nil {
			s.gc.soon()
		}
	}
	return leases.WithLease(ctx, id), done, nil
}

// dropLeases removes the leases of operations that are not under way and began before a time; it returns how many.
func (s *Service) dropLeases(ctx context.Context, before time.Time) (int, error) {
	list, err := s.leases.List(ctx)
	if err != nil {
		return 0, fmt.Errorf("listing leases: %w", err)
	}
	s.pulls.mu.Lock()
	defer s.pulls.mu.Unlock()
	dropped := 0
	for _, l := range list {
		if !strings.HasPrefix(l.ID, leasePrefix) || s.pulls.active[l.ID] > 0 || l.CreatedAt.After(before) {
			continue
		}
		if err := s.leases.Delete(ctx, l); err != nil && !cerrdefs.IsNotFound(err) {
			return dropped, fmt.Errorf("dropping lease %s: %w", l.ID, err)
		}
		dropped++
	}
	return dropped, nil
}

// dropStaleLeases clears up after an engine that died: half unpacked snapshots, and leases of pulls that nobody took
// up again for a day.
func (s *Service) dropStaleLeases(ctx context.Context) error {
	ctx = s.ctx(ctx)
	var half []string
	err := s.sn.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if strings.HasPrefix(info.Name, extractPrefix) {
			half = append(half, info.Name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing snapshots: %w", err)
	}
	for _, key := range half {
		if err := s.sn.Remove(ctx, key); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("removing half unpacked snapshot %s: %w", key, err)
		}
	}
	dropped, err := s.dropLeases(ctx, time.Now().Add(-leaseAge))
	if len(half) > 0 || dropped > 0 {
		s.gc.soon()
	}
	return err
}
