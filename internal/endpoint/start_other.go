//go:build !linux

package endpoint

import (
	"context"
	"io"
	"runtime"

	"github.com/berthhq/berth/internal/errdefs"
)

// startEngine refuses: outside Linux the engine lives in a virtual machine, which has an address of its own.
func startEngine(context.Context, Endpoint, io.Writer) error {
	return errdefs.NotImplemented("no engine runs on %s itself, it lives in a virtual machine", runtime.GOOS).
		WithHint("Leave out --host, BERTH_HOST and DOCKER_HOST to use the one in the virtual machine.")
}
