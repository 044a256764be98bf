//go:build !linux

package endpoint

import (
	"context"
	"io"
	"runtime"

	"github.com/berthhq/berth/internal/errdefs"
)

// startEngine refuses: outside Linux the engine lives in a virtual machine, which a later release brings.
func startEngine(context.Context, Endpoint, io.Writer) error {
	return errdefs.NotImplemented("no engine runs: berth's virtual machine for %s arrives with a later release", runtime.GOOS).
		WithHint("Point berth at an engine on Linux with --host, BERTH_HOST or DOCKER_HOST.")
}
