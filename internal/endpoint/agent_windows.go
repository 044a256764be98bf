package endpoint

import (
	"context"
	"io"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/paths"
)

// StartAgent refuses: there is no driver of virtual machines for Windows yet.
func StartAgent(context.Context, paths.Machine, io.Writer) error {
	return errdefs.NotImplemented("berth's virtual machine for Windows arrives with a later release").
		WithHint("Point berth at an engine on Linux with --host, BERTH_HOST or DOCKER_HOST.")
}
