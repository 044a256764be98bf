//go:build linux

package container

import (
	"context"
	"sync"
	"time"
)

// longestStop is what the machine's shutdown leaves a container to end in: systemd kills the engine after 90 seconds.
const longestStop = 70 * time.Second

// Shutdown ends all containers because the machine shuts down: with their stop signals and timeouts, all at once. Their
// policies start none again until an engine comes back, which then sees that nobody has stopped them.
func (s *Service) Shutdown(ctx context.Context) {
	s.closing.Store(true)
	var all sync.WaitGroup
	for _, e := range s.entries() {
		all.Go(func() { s.stopWithMachine(ctx, e) })
	}
	all.Wait()
}

func (s *Service) stopWithMachine(ctx context.Context, e *entry) {
	e.stopBackoff()
	release, err := e.acquire(ctx)
	if err != nil {
		return
	}
	defer release()
	r := e.snapshot()
	if !r.State.running() {
		return
	}
	var asked *int
	if t := stopTimeout(&r, nil, s.Defaults.StopTimeout); t < 0 || t > longestStop {
		n := int(longestStop.Seconds())
		asked = &n
	}
	if s.end(ctx, e, "", asked) == nil {
		s.publish(&r, "stop")
	}
}
