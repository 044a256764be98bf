//go:build linux

package runtime

import (
	"syscall"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/internal/errdefs"
)

// translate makes an error of the engine's kinds from the supervisor's. A command that cannot be executed is the
// caller's mistake; its cause is the errno, so that the exit code (126, 127) can be told from it.
func translate(e *proto.Error) error {
	switch e.Code {
	case proto.CodeNotFound:
		return errdefs.NotFound("%s", e.Message)
	case proto.CodeConflict:
		return errdefs.Conflict("%s", e.Message)
	case proto.CodeInvalid:
		return errdefs.Invalid("%s", e.Message)
	case proto.CodeUnsupported:
		return errdefs.NotImplemented("%s", e.Message)
	case proto.CodeExec:
		err := errdefs.Invalid("%s", e.Message)
		if e.Errno != 0 {
			err.Cause = syscall.Errno(e.Errno)
		}
		return err
	}
	return errdefs.System("%s", e.Message)
}
