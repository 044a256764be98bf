//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/buildkit/executor"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
)

// wait follows a process to its end, passing on signals and sizes meanwhile. A context that ends kills it.
func (x *Executor) wait(ctx context.Context, id, execID string, p executor.ProcessInfo, ended <-chan proto.State) proto.State {
	after, cancelled := context.WithoutCancel(ctx), ctx.Done()
	for {
		select {
		case st := <-ended:
			return st
		case <-cancelled:
			cancelled = nil
			_ = x.Runtime.Signal(after, id, execID, int(syscall.SIGKILL), execID == "") // it may have ended meanwhile
		case sig := <-p.Signal:
			_ = x.Runtime.Signal(after, id, execID, int(sig), false)
		case size := <-p.Resize:
			_ = x.Runtime.Resize(after, id, execID, uint16(size.Rows), uint16(size.Cols))
		}
	}
}

// exitError is what BuildKit is told of an end: nothing where the exit code is one that the build allows.
func exitError(ctx context.Context, m executor.Meta, st proto.State) error {
	valid := m.ValidExitCodes
	if valid == nil {
		valid = []int{0}
	}
	if slices.Contains(valid, st.ExitCode) {
		return nil
	}
	err := &gatewayapi.ExitError{ExitCode: uint32(st.ExitCode)}
	switch {
	case ctx.Err() != nil:
		err.Err = fmt.Errorf("exit code: %d: %w", st.ExitCode, context.Cause(ctx))
	case st.OOMKilled:
		err.Err = syscall.ENOMEM
	}
	return err
}

// Exit codes of commands that could not be executed, as shells give them.
const (
	codeNotFound      = 127
	codeNotExecutable = 126
)

// startError tells why a command did not start. One that is not in the root or cannot be executed has failed like any
// other, with a line in its output; the error is an unstarted, too.
func startError(ctx context.Context, p executor.ProcessInfo, err error) error {
	var errno syscall.Errno
	if errdefs.KindOf(err) != errdefs.KindInvalid || !errors.As(err, &errno) {
		return err
	}
	if p.Stderr != nil {
		_, _ = io.WriteString(p.Stderr, err.Error()+"\n")
	}
	code := codeNotExecutable
	if errno == syscall.ENOENT {
		code = codeNotFound
	}
	told := exitError(ctx, p.Meta, proto.State{ExitCode: code})
	var exit *gatewayapi.ExitError
	if errors.As(told, &exit) && exit.Err == nil {
		exit.Err = unstarted{code, err}
	}
	return told
}

// unstarted is the error of a command that could not be executed.
type unstarted struct {
	code int
	why  error
}

func (e unstarted) Error() string { return fmt.Sprintf("exit code: %d", e.code) }

// NotStarted is why, for those who would not speak of an exit code.
func (e unstarted) NotStarted() string { return e.why.Error() }
