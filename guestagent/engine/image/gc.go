//go:build linux

package image

import (
	"context"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/log"
)

// collector runs garbage collection in the background, some time after it was asked to, so that many removals share
// one run. Its goroutine ends in stop.
type collector struct {
	s     *Service
	delay time.Duration
	asked chan struct{}
	quit  context.CancelFunc
	done  chan struct{}
	once  sync.Once
}

func newCollector(s *Service, delay time.Duration) *collector {
	ctx, cancel := context.WithCancel(context.Background())
	c := &collector{s: s, delay: delay, asked: make(chan struct{}, 1), quit: cancel, done: make(chan struct{})}
	go c.loop(ctx)
	return c
}

// soon asks for a run. It never waits.
func (c *collector) soon() {
	select {
	case c.asked <- struct{}{}:
	default:
	}
}

func (c *collector) stop() {
	c.once.Do(c.quit)
	<-c.done
}

func (c *collector) loop(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-c.asked:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(c.delay):
		case <-ctx.Done():
			return
		}
		if err := c.s.Collect(ctx); err != nil && ctx.Err() == nil {
			log.G(ctx).WithError(err).Error("garbage collection of images")
		}
	}
}

// Collect removes what no image, container or operation under way refers to. It may be called at any time.
func (s *Service) Collect(ctx context.Context) error {
	ctx = s.ctx(ctx)
	if _, err := s.db.GarbageCollect(ctx); err != nil {
		return err
	}
	dropped, err := s.dropViews(ctx)
	if err != nil {
		return err
	}
	if dropped > 0 {
		if _, err := s.db.GarbageCollect(ctx); err != nil {
			return err
		}
	}
	if c, ok := s.sn.(snapshots.Cleaner); ok {
		return c.Cleanup(ctx)
	}
	return nil
}
