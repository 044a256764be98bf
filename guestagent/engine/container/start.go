//go:build linux

package container

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/berthhq/berth/guestagent/engine/network"
	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// ContainerStart starts a container that does not run. Where it fails the container is as before, with the reason and
// an exit code in its state. Errors: NotModified where it runs already, Invalid where its command cannot be executed.
func (s *Service) ContainerStart(ctx context.Context, ref string) error {
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	r := e.snapshot()
	switch {
	case r.State.Status == container.StatePaused:
		return errdefs.Conflict("cannot start a paused container, try unpause instead")
	case r.State.Status == container.StateRunning:
		return errdefs.NotModified("container %s is already running", r.Name)
	case r.State.Status == container.StateDead, r.State.Status == container.StateRemoving, r.Doomed:
		return errdefs.Conflict("container is marked for removal and cannot be started")
	}
	e.stopBackoff()
	e.mu.Lock()
	e.streak = 0
	e.mu.Unlock()
	if r.Stopped || r.Restarts != 0 {
		if err := s.change(e, func(r *Record) { r.Stopped, r.Restarts = false, 0 }); err != nil {
			return err
		}
	}
	return s.start(ctx, e)
}

// start starts a container; the caller has its turn.
func (s *Service) start(ctx context.Context, e *entry) error {
	// A client that goes away does not leave a start half done.
	ctx = context.WithoutCancel(ctx)
	r := e.snapshot()
	err := s.launch(ctx, e, &r)
	if err == nil {
		return nil
	}
	code := startCode(err)
	s.change(e, func(r *Record) {
		// As docker: one that never ran stays created; one that the policy was to start again is at its end.
		if r.State.Status == container.StateRestarting {
			r.State.turn(container.StateExited)
		}
		r.State.ExitCode, r.State.Error = code, err.Error()
	})
	if r.Host.AutoRemove {
		s.remove(ctx, e, true)
	}
	return err
}

// startCode is the exit code of a container whose command could not be executed (docker run's, and the shell's).
func startCode(err error) int {
	switch {
	case errors.Is(err, syscall.ENOENT):
		return 127
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOEXEC), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.EPERM):
		return 126
	}
	return 128
}

// launch does what a start consists of and takes back what it did where it fails.
func (s *Service) launch(ctx context.Context, e *entry, r *Record) (err error) {
	var undo []func()
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				undo[i]()
			}
		}
	}()
	unmount, err := s.mountVolumes(r)
	if err != nil {
		return err
	}
	undo = append(undo, unmount)
	links, env, err := s.linked(r)
	if err != nil {
		return err
	}
	sb, err := s.attachNetwork(ctx, r, links)
	if err != nil {
		return err
	}
	undo = append(undo, func() { s.Networks.Detach(ctx, r.ID) }, func() { s.dropShm(r) })
	in, held, err := s.input(ctx, r, sb, env)
	if err != nil {
		return err
	}
	defer held.close()
	if err := s.ignite(ctx, e, in); err != nil {
		return err
	}
	s.publish(r, "start")
	s.watchHealth(e)
	s.caughtUp(e)
	return nil
}

// ignite starts the process and records that it runs.
func (s *Service) ignite(ctx context.Context, e *entry, in runtime.Input) error {
	e.mu.Lock()
	e.starting, e.early = true, nil
	e.mu.Unlock()
	st, err := s.Runtime.Start(ctx, in)
	if errdefs.KindOf(err) == errdefs.KindUnavailable {
		st, err = s.begun(ctx, in.ID, err)
	}
	if err != nil {
		e.mu.Lock()
		e.starting, e.early = false, nil
		e.mu.Unlock()
		s.Runtime.Release(ctx, in.ID, "")
		return startError(err)
	}
	return s.change(e, func(r *Record) {
		r.State.turn(container.StateRunning)
		r.State.Pid, r.State.StartedAt = st.Pid, st.StartedAt.UTC()
		r.State.ExitCode, r.State.Error, r.State.OOMKilled = 0, "", false
	})
}

// begun asks about a start whose answer was lost with the supervisor: the next one knows what has become of it. Its error
// is lost, where nothing runs.
func (s *Service) begun(ctx context.Context, id string, lost error) (runtime.State, error) {
	st, err := s.Runtime.State(ctx, id, "")
	if err != nil || st.StartedAt.IsZero() {
		return runtime.State{}, lost
	}
	if st.Status == proto.StatusExited {
		s.exited(&st)
	}
	return runtime.State{Pid: st.Pid, StartedAt: st.StartedAt}, nil
}

// caughtUp ends the time in which an end of the container is kept for later, and handles one that came.
func (s *Service) caughtUp(e *entry) {
	e.mu.Lock()
	early := e.early
	e.starting, e.early = false, nil
	e.mu.Unlock()
	if early != nil {
		s.tasks.Go(func() { s.ended(e, early) }) // its removal, if it comes to that, needs the turn that we have
	}
}

func (s *Service) attachNetwork(ctx context.Context, r *Record, links []network.Link) (*network.Sandbox, error) {
	if _, shared := netContainer(r.Host.NetworkMode); shared {
		return nil, nil
	}
	sb, err := s.Networks.Attach(ctx, s.sandboxConfig(ctx, r, links))
	if err != nil {
		return nil, fmt.Errorf("failed to set up container networking: %w", err)
	}
	return sb, nil
}

// startError words a failed start as docker does: clients look for these words.
func startError(err error) error {
	var errno syscall.Errno
	if errdefs.KindOf(err) != errdefs.KindInvalid || !errors.As(err, &errno) {
		return err
	}
	return errdefs.Invalid("failed to create task for container: failed to create shim task: OCI runtime create failed: unable to start container process: %w", err)
}
