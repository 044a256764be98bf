//go:build linux

package sandbox

import (
	"context"

	"github.com/berthhq/berth/guestagent/engine/runtime"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/identity"
)

// Exec runs another process in the container of a command that runs, or is about to.
func (x *Executor) Exec(ctx context.Context, id string, p executor.ProcessInfo) error {
	c := x.find(id)
	if c == nil {
		return errdefs.NotFound("container %s not found", id)
	}
	select {
	case <-c.started:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !c.live {
		return errdefs.Conflict("container %s has stopped", id)
	}
	after, execID := context.WithoutCancel(ctx), identity.NewID()
	ended, forget := x.exits.expectProcess(ctx, id, execID)
	defer forget()
	near, far, err := socketpair()
	if err != nil {
		return err
	}
	a := attachment(p)
	if _, err := x.Runtime.Exec(ctx, id, execID, c.in, execInput(c.in, p), &a, far); err != nil {
		near.Close()
		return startError(ctx, p, err)
	}
	io := pipe(near, p)
	st := x.wait(ctx, id, execID, p, ended)
	_ = x.Runtime.Release(after, id, execID) // who follows all containers may have done it already
	io.finish()
	return exitError(ctx, p.Meta, st)
}

// execInput is a process in the words of the runtime; what it does not say is the command's.
func execInput(base runtime.Input, p executor.ProcessInfo) runtime.ExecInput {
	env := base.Env
	if len(p.Meta.Env) > 0 {
		env = append([]string{"HOSTNAME"}, p.Meta.Env...)
	}
	return runtime.ExecInput{
		Args: p.Meta.Args, Env: env, User: p.Meta.User, WorkingDir: p.Meta.Cwd,
		Terminal: p.Meta.Tty, Stdin: p.Stdin != nil,
	}
}
