//go:build linux

package container

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// Service is all containers of an engine.
type Service struct {
	Deps
	names *names

	ctx    context.Context // of everything that outlives a request
	cancel context.CancelFunc
	tasks  sync.WaitGroup // health checks, restarts, the watcher

	closing atomic.Bool // the machine shuts down: policies start nothing

	mu     sync.Mutex
	byID   map[string]*entry
	byName map[string]*entry
	execs  map[string]*execution
}

// entry is a container in memory.
type entry struct {
	turn chan struct{} // holds one token; see package comment

	mu       sync.Mutex
	rec      Record
	exits    uint64             // how often it ended in this engine's time
	changed  chan struct{}      // closed and replaced whenever waiters have to look again
	gone     bool               // removed
	starting bool               // the runtime was asked to start it and has not answered
	early    *proto.State       // the end of one that ended before the answer came
	ending   bool               // it has ended, and what it held is being given back
	again    bool               // a restart was asked for and has not started it yet
	streak   int                // restarts by the policy since it last ran for a while
	backoff  context.CancelFunc // ends a wait for a restart
	probing  context.CancelFunc // ends the health checks
}

func newEntry(r Record) *entry {
	e := &entry{turn: make(chan struct{}, 1), rec: r, changed: make(chan struct{})}
	e.turn <- struct{}{}
	return e
}

// New makes the service with the containers that the stores know. Run must be called before any is used.
func New(d Deps) (*Service, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{
		Deps: d, names: newNames(), ctx: ctx, cancel: cancel,
		byID: map[string]*entry{}, byName: map[string]*entry{}, execs: map[string]*execution{},
	}
	for _, store := range []Store{d.Durable, d.Volatile} {
		all, err := store.All()
		if err != nil {
			cancel()
			return nil, err
		}
		for _, r := range all {
			s.add(newEntry(r))
		}
	}
	return s, nil
}

// Close ends what the service does by itself. Containers go on running.
func (s *Service) Close() {
	s.cancel()
	s.tasks.Wait()
}

func (s *Service) add(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[e.rec.ID] = e
	s.byName[e.rec.Name] = e
}

// store is where a container's record lives.
func (s *Service) store(r *Record) Store {
	if r.Host.AutoRemove {
		return s.Volatile
	}
	return s.Durable
}

// acquire takes the entry's turn, once the end that may be under way has been dealt with. Errors: NotFound where the
// container was removed meanwhile, and ctx's.
func (e *entry) acquire(ctx context.Context) (release func(), err error) {
	select {
	case <-e.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = func() { e.turn <- struct{}{} }
	if _, err = e.until(ctx, func() bool { return !e.ending }); err == nil {
		e.mu.Lock()
		if e.gone {
			err = errdefs.NotFound("No such container: %s", e.rec.ID)
		}
		e.mu.Unlock()
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// snapshot copies the record: what it points at is never changed in place.
func (e *entry) snapshot() Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rec
}

// change alters the record under its lock, wakes who waits, and saves it.
func (s *Service) change(e *entry, f func(*Record)) error {
	e.mu.Lock()
	f(&e.rec)
	e.wake()
	r, gone := e.rec, e.gone
	e.mu.Unlock()
	if gone {
		return nil
	}
	return s.store(&r).Put(r.ID, r)
}

// wake lets waiters look again; e.mu is held.
func (e *entry) wake() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// publish tells of a container with docker's attributes: image, name and labels.
func (s *Service) publish(r *Record, action string, more ...string) {
	attrs := make(map[string]string, len(r.Config.Labels)+4)
	for k, v := range r.Config.Labels {
		attrs[k] = v
	}
	attrs["image"], attrs["name"] = r.Config.Image, r.Name
	for i := 0; i+1 < len(more); i += 2 {
		attrs[more[i]] = more[i+1]
	}
	s.Bus.Publish("container", action, r.ID, attrs)
}

// Tell publishes what is done with a container's files, where something else than a Service does it.
func (s *Service) Tell(ref, action, path string) {
	if e, err := s.find(ref); err == nil {
		r := e.snapshot()
		s.publish(&r, action, "path", path)
	}
}

func (s *Service) entries() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*entry, 0, len(s.byID))
	for _, e := range s.byID {
		out = append(out, e)
	}
	return out
}

// Users names the containers made from an image or with it mounted, running ones first: what stands in the way of removing it.
func (s *Service) Users(imageID string) (ids []string) {
	var rest []string
	for _, e := range s.entries() {
		r := e.snapshot()
		switch {
		case !r.standsOn(imageID):
		case r.State.running():
			ids = append(ids, r.ID)
		default:
			rest = append(rest, r.ID)
		}
	}
	return append(ids, rest...)
}

// standsOn says whether a container was made from an image or has it mounted.
func (r *Record) standsOn(imageID string) bool {
	return r.Image != nil && r.Image.ID == imageID ||
		slices.ContainsFunc(r.Mounts, func(m Mount) bool { return m.Image != nil && m.Image.ID == imageID })
}

// Running says whether a container runs, paused ones included.
func (s *Service) Running(id string) bool {
	e, err := s.find(id)
	if err != nil {
		return false
	}
	r := e.snapshot()
	return r.State.running()
}

// Counts are the numbers of containers for GET /info.
func (s *Service) Counts() (running, paused, stopped int) {
	for _, e := range s.entries() {
		switch e.snapshot().State.Status {
		case container.StateRunning, container.StateRestarting:
			running++
		case container.StatePaused:
			paused++
		default:
			stopped++
		}
	}
	return running, paused, stopped
}
